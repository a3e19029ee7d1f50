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
    progress_.Take({name, {{"table", "public.t"}, {"rows", rows}}}, {});
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
  progress_.Take({"table_committed", {{"table", "public.t"}, {"inserted", int64_t{9}}}}, {});
  EXPECT_EQ(Table().state, State::kApplying);
  Take("table_current");
  EXPECT_EQ(Table().state, State::kCurrent);
  EXPECT_EQ(progress_.Sum().inserted, 9);
  EXPECT_EQ(progress_.Sum().current, 1);
}

TEST_F(RunProgressTest, TheWorkersWordsMayCross) {
  Take("snapshot_started");
  Take("table_current");
  Take("snapshot_completed", 9);
  EXPECT_EQ(Table().state, State::kCurrent);
}

TEST_F(RunProgressTest, AFailureLastsThroughWhatTheGatewayStillReads) {
  auto why = Error(ErrorClass::TABLE_FOREIGN, "x");
  progress_.Take(WithStatus({"table_failed", {{"table", "public.t"}}}, why), {});
  for (auto* name : {"snapshot_started", "snapshot_progress", "snapshot_completed"}) Take(name);
  EXPECT_EQ(Table().state, State::kFailed);
  EXPECT_EQ(progress_.Sum().failed, 1);
  EXPECT_TRUE(progress_.FirstFailure().Is(ErrorClass::TABLE_FOREIGN));
}

}  // namespace
}  // namespace freshet::pipeline
