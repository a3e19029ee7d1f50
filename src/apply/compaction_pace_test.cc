// SPDX-License-Identifier: Apache-2.0
#include "apply/compaction_pace.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "fakes/fake_clock.h"

namespace freshet::apply {
namespace {

class CompactionPaceTest : public testing::Test {
 protected:
  /// Changes come, and nothing after them.
  void Change() {
    pace_.Begin();
    pace_.Committed();
    pace_.Rest();
  }
  int64_t DeadShare(bool waits) const { return pace_.RulesFor(waits).dead_share; }

  static constexpr size_t kFew = 10, kMany = 1'000'000;
  fakes::FakeClock clock_;
  const CompactionRules rules_;
  CompactionPace pace_{rules_, &clock_};
};

TEST_F(CompactionPaceTest, ATableJustOpenedIsLookedAt) {
  EXPECT_TRUE(pace_.IsDue(false, kMany));
  EXPECT_EQ(DeadShare(false), limits::kCompactionDeadShare);
  Change();
  EXPECT_EQ(DeadShare(false), limits::kCompactionDeadShare) << "nor did it do anything before";
}

TEST_F(CompactionPaceTest, OneThatRestsIsLookedAtAfterEachCommit) {
  Change();
  pace_.Looked(false);
  EXPECT_FALSE(pace_.IsDue(false, kFew)) << "nothing new";
  clock_.Advance(rules_.rest_min);
  Change();
  EXPECT_TRUE(pace_.IsDue(false, kFew));
  EXPECT_FALSE(pace_.IsDue(false, kMany)) << "looking is not for nothing";
  EXPECT_EQ(DeadShare(false), limits::kCompactionDeadShare);
}

TEST_F(CompactionPaceTest, OneThatChangesAllTheTimeSeldomAndForMuch) {
  Change();
  pace_.Looked(false);
  for (int64_t i = 0; i < rules_.commits_min; ++i) {
    EXPECT_FALSE(pace_.IsDue(false, kFew)) << i;
    clock_.Advance(rules_.rest_min / 2);
    Change();
  }
  EXPECT_TRUE(pace_.IsDue(false, kFew));
  EXPECT_FALSE(pace_.IsDue(true, kFew)) << "changes go first";
  EXPECT_EQ(DeadShare(false), limits::kCompactionDeadShare / 2);
  for (int64_t i = 0; i < rules_.commits_min; ++i) Change();
  EXPECT_TRUE(pace_.IsDue(true, kFew));
  EXPECT_EQ(DeadShare(true), limits::kCompactionDeadShare / 2);
  clock_.Advance(rules_.rest_min);
  EXPECT_EQ(DeadShare(false), limits::kCompactionDeadShare) << "it came to rest";
}

TEST_F(CompactionPaceTest, TheTimeThatChangesTakeIsNoRest) {
  Change();
  pace_.Begin();
  clock_.Advance(10 * rules_.rest_min);
  pace_.Committed();
  pace_.Begin();
  EXPECT_EQ(DeadShare(false), limits::kCompactionDeadShare / 2);
}

TEST_F(CompactionPaceTest, AfterFilesWereRewrittenThereMayBeMore) {
  Change();
  pace_.Looked(true);
  EXPECT_TRUE(pace_.IsDue(false, kMany));
}

}  // namespace
}  // namespace freshet::apply
