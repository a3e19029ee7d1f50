// SPDX-License-Identifier: Apache-2.0
#include "store/file_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/random.h"
#include "store/memory_store.h"

namespace freshet::store {
namespace {

/// Every kind of store keeps the same promises.
class FileStoreTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    root_ = std::filesystem::temp_directory_path() / ("freshet-store-" + RandomHex(6));
    if (GetParam().starts_with("memory")) {
      store_ = MakeMemoryStore();
    } else {
      auto opened = OpenLocalStore(root_.string());
      ASSERT_TRUE(opened.ok()) << opened.status().ToString();
      store_ = *opened;
    }
    if (GetParam().ends_with("below")) {
      ASSERT_TRUE(store_->Put("a/bb", "beside the prefix, not below it", If::kAbsent).ok());
      store_ = Below(store_, "a/b");
    }
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(root_);
  }
  Status PutText(const std::string& path, std::string_view text, If condition = If::kAbsent) {
    return store_->Put(path, text, condition);
  }
  std::string Text(const std::string& path) {
    auto bytes = store_->Get(path, 0, -1);
    return bytes.ok() ? **bytes : bytes.status().ToString();
  }
  std::vector<std::string> Paths(std::string_view folder, std::string_view after = "",
                                 int limit = 1000, bool recursive = false) {
    auto listed = store_->List(folder, after, limit, recursive);
    EXPECT_TRUE(listed.ok());
    std::vector<std::string> paths;
    if (listed.ok()) {
      for (const FileInfo& info : *listed) paths.push_back(info.path);
    }
    return paths;
  }

  std::filesystem::path root_;
  std::shared_ptr<FileStore> store_;
};

using Words = std::vector<std::string>;

TEST_P(FileStoreTest, ReadsWhatWasWrittenInPieces) {
  std::vector<std::string_view> pieces{"one", "", "two", "three"};
  ASSERT_TRUE(store_->Put("x/y/z", pieces, If::kAbsent).ok());
  EXPECT_EQ(Text("x/y/z"), "onetwothree");
  EXPECT_EQ(**store_->Get("x/y/z", 3, 3), "two");
  EXPECT_EQ(**store_->Get("x/y/z", 6, 100), "three");
  EXPECT_EQ(**store_->Get("x/y/z", 100, 5), "");
  EXPECT_EQ(store_->Stat("x/y/z")->bytes, 11);
  ASSERT_TRUE(PutText("empty", "").ok());
  EXPECT_EQ(Text("empty"), "");
}

TEST_P(FileStoreTest, AbsentObjectsAreNotFound) {
  ASSERT_TRUE(PutText("folder/file", "x").ok());
  for (const char* path : {"none", "folder", "folder/none", "folder/file/below"}) {
    EXPECT_TRUE(store_->Get(path, 0, -1).status().Is(ErrorClass::NOT_FOUND)) << path;
    EXPECT_TRUE(store_->Stat(path).status().Is(ErrorClass::NOT_FOUND)) << path;
  }
}

TEST_P(FileStoreTest, PutIfAbsentLosesToWhatIsThere) {
  ASSERT_TRUE(PutText("a", "first").ok());
  Status lost = PutText("a", "second");
  EXPECT_TRUE(lost.Is(ErrorClass::ALREADY_EXISTS));
  EXPECT_FALSE(lost.outcome_unknown());
  EXPECT_EQ(Text("a"), "first");
  ASSERT_TRUE(PutText("a", "third", If::kAlways).ok());
  EXPECT_EQ(Text("a"), "third");
}

TEST_P(FileStoreTest, OfManyPutsIfAbsentOneWins) {
  for (int round = 0; round < 20; ++round) {
    std::string path = fmt::format("race/{:03}", round);
    std::atomic<int> won = 0, lost = 0;
    std::string winner;
    std::vector<std::thread> threads;
    for (int writer = 0; writer < 4; ++writer) {
      threads.emplace_back([&, writer] {
        std::string mine = fmt::format("writer {}", writer);
        Status put = PutText(path, mine);
        if (put.ok()) {
          ++won;
          winner = mine;
        } else if (put.Is(ErrorClass::ALREADY_EXISTS)) {
          ++lost;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(won, 1);
    EXPECT_EQ(lost, 3);
    EXPECT_EQ(Text(path), winner);
  }
  EXPECT_EQ(Paths("race").size(), 20U);
}

TEST_P(FileStoreTest, ListsInByteOrder) {
  for (const char* path : {"t/b", "t/a/2", "t/a/1", "t/a-x", "t/a.x", "t/c/d/e", "t-u", "u/v"})
    ASSERT_TRUE(PutText(path, "1").ok());
  EXPECT_EQ(Paths("t"), (Words{"t/a-x", "t/a.x", "t/a/", "t/b", "t/c/"}));
  EXPECT_EQ(Paths(""), (Words{"t-u", "t/", "u/"}));
  EXPECT_EQ(Paths("t", "", 1000, true),
            (Words{"t/a-x", "t/a.x", "t/a/1", "t/a/2", "t/b", "t/c/d/e"}));
  EXPECT_EQ(Paths("t", "t/a/1", 2, true), (Words{"t/a/2", "t/b"}));
  EXPECT_EQ(Paths("t", "t/a/", 10), (Words{"t/b", "t/c/"}));
  EXPECT_EQ(Paths("t", "t/a.x", 10), (Words{"t/a/", "t/b", "t/c/"}));
  EXPECT_EQ(Paths("t", "", 2), (Words{"t/a-x", "t/a.x"}));
  EXPECT_EQ(Paths("none"), Words{});
}

TEST_P(FileStoreTest, CopiesIfAbsent) {
  ASSERT_TRUE(PutText("from/1", "bytes").ok());
  ASSERT_TRUE(store_->Copy("from/1", "to/deep/1").ok());
  EXPECT_TRUE(store_->Copy("from/1", "to/deep/1").Is(ErrorClass::ALREADY_EXISTS));
  EXPECT_TRUE(store_->Copy("from/none", "to/2").Is(ErrorClass::NOT_FOUND));
  ASSERT_TRUE(store_->Remove("from/1").ok());
  EXPECT_EQ(Text("to/deep/1"), "bytes");
  ASSERT_TRUE(PutText("to/deep/1", "new", If::kAlways).ok());
  ASSERT_TRUE(store_->Copy("to/deep/1", "from/1").ok());
  EXPECT_EQ(Text("from/1"), "new");
}

TEST_P(FileStoreTest, RemoveIsDoneWhenNothingIsThere) {
  ASSERT_TRUE(PutText("a/b", "x").ok());
  EXPECT_TRUE(store_->Remove("a/b").ok());
  EXPECT_TRUE(store_->Remove("a/b").ok());
  EXPECT_TRUE(store_->Remove("none/at/all").ok());
  EXPECT_TRUE(store_->Get("a/b", 0, -1).status().Is(ErrorClass::NOT_FOUND));
  ASSERT_TRUE(PutText("a/b", "again").ok());
  EXPECT_EQ(Text("a/b"), "again");
}

TEST_P(FileStoreTest, BelowSharesTheWholeStore) {
  ASSERT_TRUE(Below(store_, "s/parts")->Put("1", "x", If::kAbsent).ok());
  ASSERT_TRUE(store_->Copy("s/parts/1", "schema/table/1").ok());
  auto table = Below(Below(store_, "schema"), "table");
  EXPECT_EQ(**table->Get("1", 0, -1), "x");
  EXPECT_EQ(table->Stat("1")->path, "1");
  EXPECT_EQ(Below(store_, ""), store_);
}

TEST_P(FileStoreTest, RefusesPathsThatLeaveTheRoot) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const char* path : {"", "/a", "a//b", "../a", "a/./b", "a/"})
    EXPECT_DEATH((void)store_->Stat(path), "") << path;
}

INSTANTIATE_TEST_SUITE_P(Stores, FileStoreTest,
                         testing::Values("local", "memory", "local_below", "memory_below"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace freshet::store
