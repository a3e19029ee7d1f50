// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cases/player.h"
#include "store/memory_store.h"

namespace freshet::cases {
namespace {

/// One .case file, over a store in memory and over a local folder.
class CaseTest : public testing::Test {
 public:
  CaseTest(std::filesystem::path file, bool local) : file_(std::move(file)), local_(local) {}
  void TestBody() override {
    std::stringstream text;
    text << std::ifstream(file_).rdbuf();
    model::TemporaryFolder folder;
    std::shared_ptr<store::FileStore> files = store::MakeMemoryStore();
    if (local_) {
      auto opened = store::OpenLocalStore(folder.path());
      ASSERT_TRUE(opened.ok()) << opened.status().ToString();
      files = *opened;
    }
    Status played = Player(files).Play(text.str());
    EXPECT_TRUE(played.ok()) << file_.filename().string() << ": " << played.ToString();
  }

 private:
  const std::filesystem::path file_;
  const bool local_;
};

int RegisterCases(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".case") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    for (bool local : {false, true}) {
      testing::RegisterTest(local ? "Local" : "Memory", file.stem().c_str(), nullptr, nullptr,
                            file.c_str(), 1, [file, local]() -> testing::Test* {
                              return std::make_unique<CaseTest>(file, local).release();
                            });
    }
  }
  return static_cast<int>(files.size());
}

}  // namespace
}  // namespace freshet::cases

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2 || freshet::cases::RegisterCases(argv[1]) == 0) return 2;
  return RUN_ALL_TESTS();
}
