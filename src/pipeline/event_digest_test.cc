// SPDX-License-Identifier: Apache-2.0
#include "pipeline/event_digest.h"

#include <gtest/gtest.h>

#include "base/server_limits.h"
#include "pipeline/event_line.h"

namespace freshet::pipeline {
namespace {

record::Event Commit(const std::string& table, int64_t inserted) {
  return {"table_committed", {{"table", table}, {"inserted", inserted}, {"deleted", int64_t{1}}}};
}

TEST(EventDigest, CommitsOfATableAreToldTogether) {
  EventDigest digest;
  auto now = MonotonicTime() + std::chrono::hours(1);
  EXPECT_EQ(digest.Take(Commit("a", 1), now).size(), 1U) << "the first is told at once";
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(digest.Take(Commit("a", 2), now).empty());
  EXPECT_EQ(digest.Take(Commit("b", 5), now).size(), 1U) << "each table has its own time";
  EXPECT_TRUE(digest.Due(now + limits::kEventInterval / 2).empty());
  auto told = digest.Due(now + limits::kEventInterval);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(NumberOf(told[0], "inserted"), 2000);
  EXPECT_EQ(NumberOf(told[0], "deleted"), 1000);
  EXPECT_TRUE(digest.Rest().empty());
  EXPECT_TRUE(digest.Take(Commit("a", 7), now + limits::kEventInterval).empty());
  told = digest.Rest();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(NumberOf(told[0], "inserted"), 7) << "nothing is counted twice";
}

TEST(EventDigest, OfASnapshotTheLastIsToldAndNoneAfterItsEnd) {
  EventDigest digest;
  auto now = MonotonicTime() + std::chrono::hours(1);
  auto progress = [](int64_t left) {
    return record::Event{"snapshot_progress", {{"table", "a"}, {"chunks_left", left}}};
  };
  EXPECT_EQ(digest.Take(progress(9), now).size(), 1U);
  EXPECT_TRUE(digest.Take(progress(8), now).empty());
  EXPECT_TRUE(digest.Take(progress(7), now).empty());
  auto told = digest.Due(now + limits::kEventInterval);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(NumberOf(told[0], "chunks_left"), 7);
  EXPECT_TRUE(digest.Take(progress(1), now + limits::kEventInterval).empty());
  told = digest.Take({"snapshot_completed", {{"table", "a"}}}, now + 3 * limits::kEventInterval);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].name, "snapshot_completed");
  EXPECT_TRUE(digest.Rest().empty());
}

}  // namespace
}  // namespace freshet::pipeline
