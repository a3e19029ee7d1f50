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

/// Where a case is played: over a store in memory, over a local folder, and in memory with tables
/// that keep a change data feed.
enum class Stage : uint8_t { kMemory, kLocal, kFeed };

class CaseTest : public testing::Test {
 public:
  CaseTest(std::filesystem::path file, Stage stage) : file_(std::move(file)), stage_(stage) {}
  void TestBody() override {
    std::stringstream text;
    text << std::ifstream(file_).rdbuf();
    model::TemporaryFolder folder;
    std::shared_ptr<store::FileStore> files = store::MakeMemoryStore();
    if (stage_ == Stage::kLocal) {
      auto opened = store::OpenLocalStore(folder.path());
      ASSERT_TRUE(opened.ok()) << opened.status().ToString();
      files = *opened;
    }
    Status played = Player(files, stage_ == Stage::kFeed).Play(text.str());
    EXPECT_TRUE(played.ok()) << file_.filename().string() << ": " << played.ToString();
  }

 private:
  const std::filesystem::path file_;
  const Stage stage_;
};

int RegisterCases(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".case") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    for (Stage stage : {Stage::kMemory, Stage::kLocal, Stage::kFeed}) {
      const char* const names[] = {"Memory", "Local", "Feed"};
      testing::RegisterTest(names[static_cast<int>(stage)], file.stem().c_str(), nullptr, nullptr,
                            file.c_str(), 1, [file, stage]() -> testing::Test* {
                              return std::make_unique<CaseTest>(file, stage).release();
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
