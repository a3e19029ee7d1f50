// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run_progress.h"

#include <gtest/gtest.h>

#include "pipeline/event_line.h"

namespace freshet::pipeline {
namespace {

using State = TableProgress::State;

class RunProgressTest : public testing::Test {
 protected:
  void Take(const std::string& name, int64_t rows = 0) {
    progress_.Take({name, {{"table", "public.t"}, {"rows", rows}}});
  }
  const TableProgress& Table() { return progress_.tables()["public.t"]; }

  RunProgress progress_;
};

TEST_F(RunProgressTest, ATableIsReadThenCurrent) {
  Take("snapshot_started");
  Take("snapshot_progress", 5);
  EXPECT_EQ(Table().state, State::kSnapshot);
  EXPECT_EQ(Table().snapshot_rows, 5);
  Take("snapshot_completed", 9);
  progress_.Take({"table_committed", {{"table", "public.t"}, {"inserted", int64_t{9}}}});
  EXPECT_EQ(Table().state, State::kApplying);
  Take("table_current");
  EXPECT_EQ(Table().state, State::kCurrent);
  EXPECT_EQ(progress_.Sum().inserted, 9);
  EXPECT_EQ(progress_.Sum().current, 1);
}

TEST_F(RunProgressTest, ASnapshotSaysHowFarItIs) {
  progress_.Take(
      {"snapshot_started",
       {{"table", "public.t"}, {"chunks", int64_t{4}}, {"rows_estimated", int64_t{-1}}}});
  EXPECT_EQ(Table().chunks, 4);
  EXPECT_EQ(Table().seconds_left, -1);
  progress_.Take({"snapshot_chunk_read", {{"table", "public.t"}, {"chunks_left", int64_t{3}}}});
  EXPECT_EQ(Table().chunks_done, 1);
  progress_.Take({"snapshot_progress",
                  {{"table", "public.t"},
                   {"rows", int64_t{120}},
                   {"rows_estimated", int64_t{400}},
                   {"rows_per_second", 10.0},
                   {"seconds_left", 28.0},
                   {"chunks", int64_t{4}},
                   {"chunks_left", int64_t{3}}}});
  EXPECT_EQ(Table().rows_estimated, 400);
  EXPECT_EQ(Table().seconds_left, 28);
  progress_.Take({"snapshot_resumed",
                  {{"table", "public.t"},
                   {"rows", int64_t{100}},
                   {"rows_estimated", int64_t{-1}},
                   {"chunks", int64_t{4}},
                   {"chunks_left", int64_t{3}}}});
  EXPECT_EQ(Table().chunks_done, 1);
  EXPECT_EQ(Table().snapshot_rows, 100);
  progress_.Take({"snapshot_completed", {{"table", "public.t"}, {"rows", int64_t{402}}}});
  EXPECT_EQ(Table().chunks_done, 4);
}

TEST_F(RunProgressTest, WhatIsStagedOfARenamedTableMakesNoOther) {
  Take("table_found");
  progress_.Take({"table_renamed", {{"table", "public.moved"}, {"before", "public.t"}}});
  progress_.Take({"changes_staged", {{"table", "public.moved"}, {"upserted", int64_t{3}}}});
  EXPECT_EQ(progress_.tables().size(), 1U);
}

TEST_F(RunProgressTest, TheWorkersWordsMayCross) {
  Take("snapshot_started");
  Take("table_current");
  Take("snapshot_completed", 9);
  EXPECT_EQ(Table().state, State::kCurrent);
}

TEST_F(RunProgressTest, ATableThatIsReadToBeComparedStaysWhatItIs) {
  Take("table_current");
  progress_.Take({"snapshot_started", {{"table", "public.t"}, {"difference", true}}});
  Take("snapshot_completed", 9);
  EXPECT_EQ(Table().state, State::kCurrent);
  progress_.Take({"table_reread", {{"table", "public.t"}, {"read_at", int64_t{7}}}});
  EXPECT_EQ(Table().state, State::kCurrent);
  EXPECT_EQ(Table().read_at, 7);
}

TEST_F(RunProgressTest, OneThatCouldNotBeReadAgainHasFailedUntilItIsRead) {
  Take("table_current");
  auto why = Error(ErrorClass::SOURCE_QUERY, "x");
  progress_.Take(WithStatus({"table_unread", {{"table", "public.t"}}}, why));
  Take("table_current");
  EXPECT_EQ(Table().state, State::kFailed) << "current as of the reading before";
  EXPECT_EQ(progress_.Sum().failed, 1);
  progress_.Take({"table_reread", {{"table", "public.t"}, {"read_at", int64_t{7}}}});
  Take("table_current");
  EXPECT_EQ(Table().state, State::kCurrent);
  EXPECT_TRUE(Table().failed.ok());
  progress_.Take(WithStatus({"table_failed", {{"table", "public.t"}}}, why));
  progress_.Take({"table_reread", {{"table", "public.t"}, {"read_at", int64_t{8}}}});
  EXPECT_EQ(Table().state, State::kFailed) << "for another reason";
}

TEST_F(RunProgressTest, OneThatIsReadableAgainIsWhatItWas) {
  auto why = Error(ErrorClass::SWEEP_REFUSED, "x");
  Take("table_readable");
  EXPECT_EQ(Table().state, State::kWaiting) << "it was all the time";
  progress_.Take(WithStatus({"table_unread", {{"table", "public.t"}}}, why));
  Take("table_current");
  progress_.Take(WithStatus({"table_unread", {{"table", "public.t"}}}, why));
  EXPECT_EQ(progress_.Sum().failed, 1);
  Take("table_readable");
  EXPECT_EQ(Table().state, State::kCurrent);
  EXPECT_TRUE(Table().failed.ok());
}

TEST_F(RunProgressTest, AFailureLastsThroughWhatTheGatewayStillReads) {
  auto why = Error(ErrorClass::TABLE_FOREIGN, "x");
  progress_.Take(WithStatus({"table_failed", {{"table", "public.t"}}}, why));
  for (auto* name : {"snapshot_started", "snapshot_progress", "snapshot_completed"}) Take(name);
  EXPECT_EQ(Table().state, State::kFailed);
  EXPECT_EQ(progress_.Sum().failed, 1);
  EXPECT_TRUE(progress_.FirstFailure().Is(ErrorClass::TABLE_FOREIGN));
}

TEST_F(RunProgressTest, OneThatIsAskedForAndGoneStaysLeftOut) {
  auto leave_out = [&](ErrorClass why) {
    progress_.Take(WithStatus({"table_left_out", {{"table", "public.t"}}}, Error(why, "x")));
  };
  leave_out(ErrorClass::NO_TABLE_MATCHES);
  Take("table_current");
  EXPECT_EQ(Table().state, State::kLeftOut);
  // It was made again meanwhile.
  Take("snapshot_started");
  Take("table_current");
  EXPECT_EQ(Table().state, State::kCurrent);
  leave_out(ErrorClass::SOURCE_BLOCKED);
  Take("table_current");
  EXPECT_EQ(Table().state, State::kCurrent);
}

TEST(RunProgress, AFailedTableMayBeTakenUpAgain) {
  RunProgress progress;
  EXPECT_FALSE(progress.TakeUp("public.t"));
  progress.Take({"table_found", {{"table", "public.t"}, {"flow", "f"}}});
  EXPECT_FALSE(progress.TakeUp("public.t"));
  progress.Take(WithStatus({"table_failed", {{"table", "public.t"}}},
                           Error(ErrorClass::SNAPSHOT_STALE, "its rows moved")));
  EXPECT_EQ(progress.Sum().failed, 1);
  EXPECT_TRUE(progress.TakeUp("public.t"));
  EXPECT_EQ(progress.Sum().failed, 0);
  EXPECT_TRUE(progress.FirstFailure().ok());
  progress.Take({"table_committed", {{"table", "public.t"}, {"inserted", int64_t{3}}}});
  EXPECT_EQ(progress.Sum().inserted, 3) << "a failed one would not be counted";
  progress.Take({"table_current", {{"table", "public.t"}}});
  EXPECT_EQ(progress.Sum().current, 1);
}

}  // namespace
}  // namespace freshet::pipeline
