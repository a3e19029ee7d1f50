// SPDX-License-Identifier: Apache-2.0
#include "apply/housekeeping.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "delta/log.h"
#include "fakes/fake_clock.h"
#include "store/memory_store.h"

namespace freshet::apply {
namespace {

class HousekeepingTest : public testing::Test {
 protected:
  HousekeepingTest() {
    delta::Column column;
    column.name = "id";
    column.type = arrow::int64();
    auto [protocol, metadata] = delta::Describe({{column}, {}, false}, clock_.WallNow() / 1000);
    Commit({protocol, metadata});
  }
  void Commit(std::vector<delta::Action> actions) {
    state_ = table_.Commit(state_, {}, std::move(actions)).value();
  }
  /// The first version of a table with so many removed files that is written whole.
  int64_t FirstCheckpoint(int64_t tombstones, int64_t commits_max) {
    Housekeeping housekeeping(&table_, "t", commits_max, &clock_, &observer_);
    delta::Snapshot snapshot = *state_;
    for (int64_t i = 0; i < tombstones; ++i) {
      delta::RemoveFile removed;
      removed.path = fmt::format("{}.parquet", i);
      snapshot.tombstones.insert_or_assign(removed.path + '#', removed);
    }
    for (;;) {
      housekeeping.AfterCommit(snapshot);
      const int64_t newest = table_.Latest(nullptr).value()->checkpoint_version;
      if (newest >= 0) return newest;
      Commit({});
      snapshot.version = state_->version;
    }
  }

  fakes::FakeClock clock_;
  record::SilentObserver observer_;
  delta::Table table_{store::MakeMemoryStore()};
  std::shared_ptr<const delta::Snapshot> state_;
};

TEST_F(HousekeepingTest, ASmallTableIsWrittenWholeAfterFewCommits) {
  EXPECT_EQ(FirstCheckpoint(0, limits::kCommitsPerCheckpoint), limits::kCommitsPerCheckpointMin);
}

TEST_F(HousekeepingTest, OneWithManyFilesWaitsForMoreCommits) {
  const int64_t actions = 12 * limits::kActionsPerCheckpointCommit;
  EXPECT_EQ(FirstCheckpoint(actions, limits::kCommitsPerCheckpoint), 12);
}

TEST_F(HousekeepingTest, NoneWaitsForMoreThanIsSaid) {
  EXPECT_EQ(FirstCheckpoint(12 * limits::kActionsPerCheckpointCommit, 3), 3);
}

}  // namespace
}  // namespace freshet::apply
