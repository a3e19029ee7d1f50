// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "base/random.h"
#include "store/file_store.h"
#include "store/local_file.h"

namespace freshet::store {
namespace {

namespace fs = std::filesystem;

class LocalStoreTest : public testing::Test {
 protected:
  void SetUp() override { root_ = fs::temp_directory_path() / ("freshet-local-" + RandomHex(6)); }
  void TearDown() override { fs::remove_all(root_); }
  std::shared_ptr<FileStore> Open() {
    auto opened = OpenLocalStore(root_.string());
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    return opened.ok() ? *opened : nullptr;
  }
  int64_t OwnFolders() {
    int64_t count = 0;
    for (const auto& entry : fs::directory_iterator(root_))
      count += entry.path().filename().string().starts_with(".tmp-") ? 1 : 0;
    return count;
  }
  fs::path root_;
};

TEST_F(LocalStoreTest, MakesItsRootAndLeavesNothingBehind) {
  root_ /= "deep/er";
  auto store = Open();
  ASSERT_TRUE(store->Put("a/b", "x", If::kAbsent).ok());
  EXPECT_TRUE(store->Put("a/b", "y", If::kAbsent).Is(ErrorClass::ALREADY_EXISTS));
  EXPECT_EQ(OwnFolders(), 1);
  EXPECT_EQ(store->List("", "", 10, false)->size(), 1U);
  store.reset();
  EXPECT_EQ(OwnFolders(), 0);
  root_ = root_.parent_path().parent_path();
}

TEST_F(LocalStoreTest, SweepsWhatTheDeadLeftAndSparesTheLiving) {
  auto living = Open();
  fs::create_directories(root_ / ".tmp-dead");
  std::ofstream(root_ / ".tmp-dead" / "0") << "half";
  auto second = Open();
  EXPECT_FALSE(fs::exists(root_ / ".tmp-dead"));
  EXPECT_EQ(OwnFolders(), 2);
  EXPECT_TRUE(living->Put("x", "1", If::kAbsent).ok());
  EXPECT_TRUE(second->Put("y", "1", If::kAbsent).ok());
}

TEST_F(LocalStoreTest, AKilledProcessLeavesWholeObjectsOnly) {
  auto before = Open();
  pid_t child = fork();
  if (child == 0) {
    auto store = OpenLocalStore(root_.string());
    std::string bytes(1 << 20, 'x');
    // Over and over, so that the disk is not full when the parent is kept waiting.
    for (int i = 0; store.ok(); ++i)
      (void)(*store)->Put(fmt::format("p/{}", i % 64), bytes, i < 64 ? If::kAbsent : If::kAlways);
    _exit(1);
  }
  SystemClock clock;
  while (before->List("p", "", 10, false)->size() < 3) {
    clock.WaitUntil(clock.Now() + std::chrono::milliseconds(1), {});
  }
  kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  auto after = Open();
  EXPECT_EQ(OwnFolders(), 2);
  auto left = after->List("p", "", 100000, false);
  ASSERT_TRUE(left.ok());
  for (const FileInfo& info : *left) EXPECT_EQ(info.bytes, 1 << 20);
}

TEST_F(LocalStoreTest, AdoptsByHardLink) {
  auto store = Open();
  ASSERT_TRUE(store->Put("parts/1", "bytes", If::kAbsent).ok());
  ASSERT_TRUE(store->Copy("parts/1", "table/1").ok());
  EXPECT_EQ(fs::hard_link_count(root_ / "table" / "1"), 2U);
}

TEST_F(LocalStoreTest, GoesOnWhenAFolderWasRemovedUnderneath) {
  auto store = Open();
  ASSERT_TRUE(store->Put("a/b/1", "x", If::kAbsent).ok());
  fs::remove_all(root_ / "a");
  ASSERT_TRUE(store->Put("a/b/1", "y", If::kAbsent).ok());
  EXPECT_EQ(**store->Get("a/b/1", 0, -1), "y");
}

TEST_F(LocalStoreTest, AFileWhereAFolderIsNeededIsAnError) {
  fs::create_directories(root_);
  std::ofstream(root_ / "file") << "x";
  EXPECT_TRUE(OpenLocalStore((root_ / "file").string()).status().Is(ErrorClass::STORE_UNAVAILABLE));
  auto store = Open();
  EXPECT_TRUE(store->Put("file/below", "x", If::kAbsent).Is(ErrorClass::STORE_UNAVAILABLE));
}

TEST(FromErrnoTest, NamesWhatTheUserCanActOn) {
  EXPECT_TRUE(FromErrno(ENOSPC, "x", "p").Is(ErrorClass::STORE_FULL));
  EXPECT_TRUE(FromErrno(EDQUOT, "x", "p").Is(ErrorClass::STORE_FULL));
  EXPECT_TRUE(FromErrno(EROFS, "x", "p").Is(ErrorClass::STORE_READ_ONLY));
  EXPECT_TRUE(FromErrno(EACCES, "x", "p").Is(ErrorClass::STORE_READ_ONLY));
  EXPECT_TRUE(FromErrno(EPERM, "x", "p").Is(ErrorClass::STORE_READ_ONLY));
  EXPECT_TRUE(FromErrno(EIO, "x", "p").Is(ErrorClass::STORE_UNAVAILABLE));
  EXPECT_TRUE(FromErrno(EEXIST, "x", "p").Is(ErrorClass::ALREADY_EXISTS));
  EXPECT_TRUE(FromErrno(ENOENT, "x", "p").Is(ErrorClass::NOT_FOUND));
}

TEST(LocalStoreFullTest, ADeviceWithoutSpaceIsStoreFull) {
  OpenFile full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  if (!full.ok()) GTEST_SKIP() << "no /dev/full here";
  EXPECT_TRUE(WriteAll(full.get(), "x", "/dev/full").Is(ErrorClass::STORE_FULL));
}

TEST(LocalStoreReadOnlyTest, AFolderThatCannotBeWrittenIsReadOnly) {
  Status status = OpenLocalStore("/proc/freshet/store").status();
  EXPECT_FALSE(status.ok());
  if (geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  EXPECT_TRUE(OpenLocalStore("/freshet-store-test").status().Is(ErrorClass::STORE_READ_ONLY));
}

}  // namespace
}  // namespace freshet::store
