// SPDX-License-Identifier: Apache-2.0
#include "capture/snapshot_pace.h"

#include <gtest/gtest.h>

namespace freshet::capture {
namespace {

MonotonicTime At(int seconds) { return MonotonicTime(std::chrono::seconds(seconds)); }

TEST(SnapshotPace, RowsReadBeforeDoNotCount) {
  SnapshotPace pace(At(100), 1'000'000);
  EXPECT_EQ(pace.rows_per_second(), 0);
  pace.Tick(At(101), 1'000'500);
  EXPECT_DOUBLE_EQ(pace.rows_per_second(), 500);
}

TEST(SnapshotPace, AWaitAtTheBeginningIsForgotten) {
  SnapshotPace pace(At(0), 0);
  for (int second = 1; second <= 50; ++second) pace.Tick(At(second), 0);
  for (int second = 51; second <= 60; ++second) pace.Tick(At(second), (second - 50) * 1000);
  EXPECT_DOUBLE_EQ(pace.rows_per_second(), 1000);
}

TEST(SnapshotPace, FollowsAChangeOfSpeed) {
  SnapshotPace pace(At(0), 0);
  pace.Tick(At(10), 10'000);
  pace.Tick(At(20), 30'000);
  EXPECT_GT(pace.rows_per_second(), 1600);
  EXPECT_LT(pace.rows_per_second(), 2000);
}

TEST(SnapshotExtent, TheEstimateFadesAsChunksAreCounted) {
  SnapshotExtent extent{.chunks = 10, .rows_estimated = 1000};
  EXPECT_EQ(RowsExpected(extent), 1000);
  extent.chunks_done = 2;
  extent.rows_done = extent.rows_read = 800;
  EXPECT_EQ(RowsExpected(extent), 2500);  // two chunks of 400, two of 100
  extent.chunks_done = 10;
  extent.rows_done = extent.rows_read = 4000;
  EXPECT_EQ(RowsExpected(extent), 4000);
}

TEST(SnapshotExtent, WithoutAnEstimateChunksAreAllThereIs) {
  SnapshotExtent extent{.chunks = 4, .rows_read = 70};
  EXPECT_EQ(RowsExpected(extent), -1);
  EXPECT_EQ(SecondsLeft(extent, 10), -1);
  extent.chunks_done = 1;
  extent.rows_done = 50;
  EXPECT_EQ(RowsExpected(extent), 200);
  EXPECT_DOUBLE_EQ(SecondsLeft(extent, 10), 13);
  EXPECT_EQ(SecondsLeft(extent, 0), -1);
}

TEST(SnapshotExtent, MoreRowsThanExpectedAreNearlyDone) {
  SnapshotExtent extent{.chunks = 1, .rows_read = 500, .rows_estimated = 100};
  EXPECT_EQ(RowsExpected(extent), 500);
  EXPECT_DOUBLE_EQ(SecondsLeft(extent, 10), 0);
}

}  // namespace
}  // namespace freshet::capture
