// SPDX-License-Identifier: Apache-2.0
#include "store/folder_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"

namespace freshet::store {
namespace {

using testing::ElementsAre;

class FolderTreeTest : public testing::Test {
 protected:
  FolderTreeTest() {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/secret") << "outside";
  }
  ~FolderTreeTest() override { std::filesystem::remove_all(folder_); }

  Status Put(const FolderTree::Path& path, std::string_view bytes, bool overwrite = false) {
    FRESHET_TRY(auto incoming, tree_.Create(path));
    FRESHET_CHECK_OK(incoming->Write(bytes));
    return incoming->Commit(overwrite);
  }
  std::vector<std::string> Names(const FolderTree::Path& path) {
    std::vector<std::string> names;
    auto entries = tree_.List(path, "", 100);
    for (const auto& each : *entries) names.push_back(each.name);
    return names;
  }

  const std::string folder_ = testing::TempDir() + "tree_" + RandomHex(6);
  const FolderTree tree_{folder_ + "/root"};
};

TEST_F(FolderTreeTest, FilesComeAndGo) {
  EXPECT_TRUE(tree_.List({}, "", 1).status().Is(ErrorClass::NOT_FOUND));
  ASSERT_TRUE(Put({"a", "b", "file"}, "hello").ok());
  auto entry = tree_.Stat({"a", "b", "file"});
  ASSERT_TRUE(entry.ok()) << entry.status().ToString();
  EXPECT_EQ(entry->size, 5);
  EXPECT_GT(entry->modified_at, 1'600'000'000'000);
  EXPECT_TRUE(Put({"a", "b", "file"}, "again").Is(ErrorClass::ALREADY_EXISTS));
  EXPECT_TRUE(Put({"a", "b"}, "again", true).Is(ErrorClass::ALREADY_EXISTS));
  ASSERT_TRUE(Put({"a", "b", "file"}, "longer text", true).ok());
  auto file = tree_.Open({"a", "b", "file"});
  char text[64] = {};
  EXPECT_EQ(read(file->get(), text, sizeof text), 11);
  EXPECT_THAT(Names({"a", "b"}), ElementsAre("file"));
  EXPECT_TRUE(tree_.MakeFolders({"a", "b", "file", "x"}).Is(ErrorClass::ALREADY_EXISTS));
  EXPECT_TRUE(tree_.RemoveFolder({"a"}).Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_TRUE(tree_.RemoveFolder({}).Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_TRUE(tree_.RemoveFile({"a"}).Is(ErrorClass::INVALID_ARGUMENT));
  ASSERT_TRUE(tree_.RemoveFile({"a", "b", "file"}).ok());
  ASSERT_TRUE(tree_.RemoveFolder({"a", "b"}).ok());
  EXPECT_TRUE(tree_.Stat({"a", "b"}).status().Is(ErrorClass::NOT_FOUND));
}

TEST_F(FolderTreeTest, OneThatIsNotCommittedLeavesNothing) {
  {
    auto incoming = tree_.Create({"file"});
    ASSERT_TRUE(incoming.ok());
    ASSERT_TRUE((*incoming)->Write("half").ok());
    EXPECT_THAT(Names({}), ElementsAre());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/root"));
}

TEST_F(FolderTreeTest, NothingLeadsOutOfIt) {
  ASSERT_TRUE(tree_.MakeFolders({"a"}).ok());
  for (const auto& path : std::vector<FolderTree::Path>{{".."},
                                                        {"..", "secret"},
                                                        {"a", "..", "..", "secret"},
                                                        {"."},
                                                        {""},
                                                        {"../secret"},
                                                        {"a/../../secret"},
                                                        {std::string("a\0b", 3)},
                                                        {std::string(300, 'x')}}) {
    EXPECT_TRUE(tree_.Open(path).status().Is(ErrorClass::INVALID_ARGUMENT));
    EXPECT_TRUE(tree_.Stat(path).status().Is(ErrorClass::INVALID_ARGUMENT));
    EXPECT_TRUE(tree_.MakeFolders(path).Is(ErrorClass::INVALID_ARGUMENT));
    EXPECT_TRUE(tree_.RemoveFile(path).Is(ErrorClass::INVALID_ARGUMENT));
    EXPECT_TRUE(Put(path, "x", true).Is(ErrorClass::INVALID_ARGUMENT));
  }
  std::ifstream secret(folder_ + "/secret");
  std::string text;
  secret >> text;
  EXPECT_EQ(text, "outside");
}

TEST_F(FolderTreeTest, LinksAndPipesAreNotThere) {
  ASSERT_TRUE(tree_.MakeFolders({"a"}).ok());
  auto root = folder_ + "/root";
  std::filesystem::create_symlink(folder_ + "/secret", root + "/link");
  std::filesystem::create_directory_symlink(folder_, root + "/up");
  ASSERT_EQ(mkfifo((root + "/pipe").c_str(), 0600), 0);
  EXPECT_THAT(Names({}), ElementsAre("a"));
  for (const auto& path : std::vector<FolderTree::Path>{{"link"}, {"pipe"}, {"up", "secret"}}) {
    EXPECT_TRUE(tree_.Open(path).status().Is(ErrorClass::NOT_FOUND)) << path.back();
    EXPECT_TRUE(tree_.Stat(path).status().Is(ErrorClass::NOT_FOUND)) << path.back();
    EXPECT_TRUE(tree_.RemoveFile(path).Is(ErrorClass::NOT_FOUND)) << path.back();
  }
  EXPECT_FALSE(Put({"up", "new"}, "x").ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/new"));
  // A link's own place may be taken; what it led to stays.
  ASSERT_TRUE(Put({"link"}, "x", true).ok());
  EXPECT_EQ(std::filesystem::file_size(folder_ + "/secret"), 7U);
}

}  // namespace
}  // namespace freshet::store
