// SPDX-License-Identifier: Apache-2.0
#include "delta/cleanup.h"

#include <gtest/gtest.h>

#include "delta/deletion_vector.h"
#include "delta/log.h"
#include "fakes/fake_clock.h"
#include "store/memory_store.h"

namespace freshet::delta {
namespace {

using State = std::shared_ptr<const Snapshot>;
using std::chrono::hours;

constexpr hours kDay{24};

/// Refuses to remove once it has removed so many.
class StopsRemoving final : public store::FileStore {
 public:
  StopsRemoving(std::shared_ptr<store::FileStore> store, int removals)
      : store_(std::move(store)), left_(removals) {}
  Status Put(std::string_view path, std::span<const std::string_view> pieces,
             store::If condition) override {
    return store_->Put(path, pieces, condition);
  }
  Result<std::shared_ptr<const std::string>> Get(std::string_view path, int64_t offset,
                                                 int64_t length) override {
    return store_->Get(path, offset, length);
  }
  Result<store::FileInfo> Stat(std::string_view path) override { return store_->Stat(path); }
  Result<std::vector<store::FileInfo>> List(std::string_view folder, std::string_view after,
                                            int limit, bool recursive) override {
    return store_->List(folder, after, limit, recursive);
  }
  Status Copy(std::string_view from, std::string_view to) override {
    return store_->Copy(from, to);
  }
  Status Remove(std::string_view path) override {
    if (left_-- <= 0) return Error(ErrorClass::STORE_UNAVAILABLE, "the store went away");
    return store_->Remove(path);
  }

 private:
  std::shared_ptr<store::FileStore> store_;
  int left_;
};

class CleanupTest : public ::testing::Test {
 protected:
  void Create(std::map<std::string, std::string> properties = {}) {
    Column column;
    column.name = "id";
    column.type = arrow::int64();
    auto [protocol, metadata] = Describe({{column}, std::move(properties), false}, NowMs());
    Commit({protocol, metadata});
  }
  int64_t NowMs() const { return clock_.WallNow() / 1000; }
  void Commit(std::vector<Action> actions) {
    CommitInfo info;
    info.operation = "WRITE";
    auto after = table_.Commit(state_, info, std::move(actions));
    ASSERT_TRUE(after.ok()) << after.status().ToString();
    state_ = *after;
  }
  AddFile File(const std::string& path) {
    Put(path);
    AddFile add;
    add.path = path;
    add.bytes = 4;
    return add;
  }
  void Put(const std::string& path) {
    ASSERT_TRUE(store_->Put(path, "data", store::If::kAbsent).ok());
  }
  RemoveFile Removal(const std::string& path) {
    RemoveFile remove;
    remove.path = path;
    remove.deleted_at_ms = NowMs();
    remove.deletion_vector = state_->files.at(path).deletion_vector;
    return remove;
  }
  bool Has(const std::string& path) { return store_->Stat(path).ok(); }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const auto all = store_->List("", "", 1000, true);
    EXPECT_TRUE(all.ok());
    for (const auto& file : *all)
      if (!file.path.starts_with(kLogFolder)) names.push_back(file.path);
    return names;
  }
  Cleaned MustVacuum() {
    auto cleaned = Vacuum(*store_, *state_);
    EXPECT_TRUE(cleaned.ok()) << cleaned.status().ToString();
    return cleaned.ok() ? *cleaned : Cleaned{};
  }

  fakes::FakeClock clock_;
  std::shared_ptr<store::FileStore> store_ = store::MakeMemoryStore(&clock_);
  Table table_{store_};
  State state_;
};

TEST_F(CleanupTest, WhatOutlivedTheRetentionAndIsNotNeededGoes) {
  Create();
  DeletionVector dead;
  for (uint64_t row = 0; row < 100'000; row += 2 + row % 3) dead.Add(row);
  auto vectors = DeletionVector::Write(*store_, {dead});
  ASSERT_TRUE(vectors.ok());
  auto with_vector = File("live.parquet");
  with_vector.deletion_vector = vectors->front();
  const std::string vector = *StoredPath(vectors->front());
  Commit({with_vector, File("old.parquet"), File("late.parquet"), File("region=1/old.parquet")});
  Put("orphan.parquet");
  Put("notes.txt");
  Put("_other/x.parquet");
  Put(".hidden.parquet");
  Commit({Removal("old.parquet"), Removal("region=1/old.parquet")});
  clock_.Advance(kDay * 6);
  Commit({Removal("late.parquet")});
  EXPECT_EQ(MustVacuum().files, 0) << "all are younger than a week";
  clock_.Advance(kDay * 2);
  Put("young orphan.parquet");
  Commit({});
  const auto cleaned = MustVacuum();
  // The log forgets tombstones a week older than its youngest one.
  EXPECT_EQ(cleaned.files, 1);
  EXPECT_EQ(cleaned.bytes, 4);
  EXPECT_FALSE(Has("orphan.parquet"));
  clock_.Advance(kDay * 8);
  Commit({File("next.parquet")});
  Commit({Removal("next.parquet")});
  EXPECT_EQ(MustVacuum().files, 4);
  EXPECT_EQ(Names(), (std::vector<std::string>{".hidden.parquet", "_other/x.parquet", vector,
                                               "live.parquet", "next.parquet", "notes.txt"}));
}

TEST_F(CleanupTest, FilesOfTheChangeDataFeedGoByTheirAge) {
  Create({{"delta.enableChangeDataFeed", "true"}});
  Put("_change_data/cdc-1.parquet");
  Put("_change_data/notes.txt");
  Commit({ChangeFile{"_change_data/cdc-1.parquet", 4}});
  clock_.Advance(kDay * 6);
  Put("_change_data/cdc-2.parquet");
  Commit({ChangeFile{"_change_data/cdc-2.parquet", 4}});
  EXPECT_EQ(MustVacuum().files, 0) << "both are younger than a week";
  clock_.Advance(kDay * 2);
  Commit({});
  EXPECT_EQ(MustVacuum().files, 1);
  EXPECT_EQ(Names(),
            (std::vector<std::string>{"_change_data/cdc-2.parquet", "_change_data/notes.txt"}));
}

TEST_F(CleanupTest, AVectorGoesWithTheLastThatNamesIt) {
  Create({{"delta.deletedFileRetentionDuration", "interval 1 hours"}});
  DeletionVector one, two;
  for (uint64_t row = 0; row < 100'000; row += 2 + row % 3) one.Add(row);
  two.Union(one);
  two.Add(99'999);
  auto first = DeletionVector::Write(*store_, {one});
  auto second = DeletionVector::Write(*store_, {two});
  auto file = File("a.parquet");
  file.deletion_vector = first->front();
  Commit({file});
  auto removal = Removal("a.parquet");
  file.deletion_vector = second->front();
  Commit({removal, file});
  clock_.Advance(hours(2));
  Commit({File("b.parquet")});
  Commit({Removal("b.parquet")});
  EXPECT_EQ(MustVacuum().files, 1);
  EXPECT_FALSE(Has(*StoredPath(first->front())));
  EXPECT_TRUE(Has(*StoredPath(second->front())));
  EXPECT_TRUE(Has("a.parquet"));
}

TEST_F(CleanupTest, ARetentionThatWeCannotReadKeepsAll) {
  Create({{"delta.deletedFileRetentionDuration", "interval a while"},
          {"delta.logRetentionDuration", "for now"}});
  Put("orphan.parquet");
  clock_.Advance(kDay * 1000);
  Commit({});
  ASSERT_TRUE(table_.Checkpoint(*state_).ok());
  EXPECT_EQ(MustVacuum().files, 0);
  auto cleaned = CleanLog(*store_, *state_);
  ASSERT_TRUE(cleaned.ok());
  EXPECT_EQ(cleaned->files, 0);
}

class CleanLogTest : public CleanupTest {
 protected:
  /// A commit a day, versions 0 to 60, checkpoints at 10, 20 … 60.
  void Days(std::map<std::string, std::string> properties = {}) {
    Create(std::move(properties));
    for (int day = 1; day <= 60; ++day) {
      clock_.Advance(kDay);
      Commit({File(fmt::format("{:02}.parquet", day))});
      if (day % 10 == 0) {
        ASSERT_TRUE(table_.Checkpoint(*state_).ok());
      }
    }
  }
};

TEST_F(CleanLogTest, VersionsWithinTheRetentionStayReadable) {
  Days();
  // Version 30 is thirty days old, not older: it is read from its own checkpoint.
  auto cleaned = CleanLog(*store_, *state_);
  ASSERT_TRUE(cleaned.ok()) << cleaned.status().ToString();
  EXPECT_EQ(cleaned->files, 30 + 2);
  for (int64_t version : {0, 10, 29}) {
    EXPECT_FALSE(Has(CommitPath(version)));
    EXPECT_TRUE(table_.At(version).status().Is(ErrorClass::NOT_FOUND)) << version;
  }
  for (int64_t version : {30, 31, 60}) {
    auto state = table_.At(version);
    ASSERT_TRUE(state.ok()) << state.status().ToString();
    EXPECT_EQ(std::ssize((*state)->files), version);
  }
  EXPECT_EQ((*table_.Latest(nullptr))->files, state_->files);
  EXPECT_EQ(CleanLog(*store_, *state_)->files, 0) << "there is nothing more to do";
}

TEST_F(CleanLogTest, NothingGoesBeforeACheckpointOrWhereTheTableKeepsItsLog) {
  Days({{"delta.enableExpiredLogCleanup", "false"}});
  EXPECT_EQ(CleanLog(*store_, *state_)->files, 0);
  for (int version = 10; version <= 60; version += 10)
    ASSERT_TRUE(store_->Remove(CheckpointPath(version)).ok());
  Snapshot other = *state_;
  other.metadata.configuration.clear();
  EXPECT_EQ(CleanLog(*store_, other)->files, 0);
}

TEST_F(CleanLogTest, StoppedAnywhereTheRestIsAWholeLog) {
  Days();
  for (int step = 0; step < 5; ++step) {
    StopsRemoving stops(store_, 7);
    auto cleaned = CleanLog(stops, *state_);
    EXPECT_EQ(cleaned.ok(), step == 4);
    auto read = table_.Latest(nullptr);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ((*read)->files, state_->files);
    EXPECT_TRUE(table_.At(35).ok());
  }
  EXPECT_FALSE(Has(CommitPath(29)));
  EXPECT_TRUE(Has(CommitPath(30)));
}

TEST(LogVersion, OfEveryKindOfFile) {
  EXPECT_EQ(LogVersion(CommitPath(7)), 7);
  EXPECT_EQ(LogVersion(CheckpointPath(7)), 7);
  EXPECT_EQ(LogVersion("_delta_log/00000000000000000007.crc"), 7);
  EXPECT_EQ(LogVersion("_delta_log/00000000000000000007.00000000000000000009.compacted.json"), 9);
  EXPECT_EQ(LogVersion("_delta_log/_last_checkpoint"), std::nullopt);
  EXPECT_EQ(LogVersion("_delta_log/_sidecars/"), std::nullopt);
  EXPECT_EQ(LogVersion("_delta_log/0000000000000000000x.json"), std::nullopt);
}

}  // namespace
}  // namespace freshet::delta
