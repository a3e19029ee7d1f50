// SPDX-License-Identifier: Apache-2.0
#include "client/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/fakes_test.h"
#include "client/update_progress.h"

namespace freshet::client {
namespace {

using testing::HasSubstr;

std::string Event(const std::string& id, const std::string& at, const std::string& type,
                  const std::string& more) {
  return fmt::format(
      R"({{"id": "{}", "timestamp": "2026-01-01T00:00:{}Z", "level": "INFO", "event_type": "{}", "message": "{} {}", {}}})",
      id, at, type, type, id, more);
}

std::string Flow(const std::string& id, const std::string& at, const std::string& table,
                 const std::string& status, const std::string& metrics = "{}") {
  return Event(
      id, at, "flow_progress",
      fmt::format(
          R"("origin": {{"flow_name": "{}"}}, "details": {{"flow_progress": {{"status": "{}", "metrics": {}}}}})",
          table, status, metrics));
}

std::string Snapshot(const std::string& id, const std::string& table, const std::string& status,
                     const std::string& more) {
  return Event(
      id, "00.000", "operation_progress",
      fmt::format(
          R"("details": {{"operation_progress": {{"status": "{}", "cdc_snapshot": {{"target_table_name": "{}", "num_rows": 1234567, "rows_per_second": 1000.5}}{}}}}})",
          status, table, more));
}

std::string Failure(const std::string& id, const std::string& error_class) {
  return Event(
      id, "09.000", "update_progress",
      fmt::format(
          R"("error": {{"exceptions": [{{"error_class": "{}", "message": "{}: it broke"}}]}})",
          error_class, error_class));
}

class ProgressTest : public testing::Test {
 protected:
  void Take(const std::string& event) { progress_.Take(ParseJsonOrThrow<Json>(event)); }
  std::string Block(size_t columns = 200, size_t rows = 20) {
    return fmt::format("{}", fmt::join(BlockOf(progress_, 67, columns, rows), "\n"));
  }
  UpdateProgress progress_;
};

TEST_F(ProgressTest, ASnapshotIsShownWithItsRowsItsSpeedAndItsEnd) {
  progress_.TakeState("RUNNING");
  Take(Flow("1", "00.000", "public.t", "STARTING"));
  Take(Snapshot("2", "public.t", "IN_PROGRESS",
                R"(, "progress_percent": 45.2, "estimated_completion_ms": 125000)"));
  EXPECT_EQ(Block(),
            "public.t  snapshot  45 %  1,234,567 rows  1,000 rows/s  02:05 left\n"
            "RUNNING  0 of 1 tables done, 0 rows written  01:07");
  Take(Snapshot("3", "public.t", "COMPLETED", ""));
  EXPECT_THAT(Block(), HasSubstr("public.t  STARTING "));
}

TEST_F(ProgressTest, RowsAreSummedAndTheirSpeedIsThatOfTheLast) {
  progress_.TakeState("RUNNING");
  Take(Flow("1", "01.000", "public.t", "RUNNING", R"({"num_upserted_rows": 10})"));
  Take(Flow("2", "03.000", "public.t", "RUNNING",
            R"({"num_upserted_rows": 300, "num_deleted_rows": 100})"));
  EXPECT_THAT(Block(), HasSubstr("public.t  RUNNING    410 rows  200 rows/s"));
  Take(Flow("3", "04.000", "public.t", "COMPLETED"));
  EXPECT_EQ(Block(), "RUNNING  1 of 1 tables done, 410 rows written  01:07");
  progress_.TakeState("COMPLETED");
  EXPECT_EQ(SummaryOf(progress_), "COMPLETED: 1 of 1 tables done; 310 rows upserted, 100 deleted");
}

TEST_F(ProgressTest, ABlockFitsTheTerminal) {
  progress_.TakeState("RUNNING");
  for (const auto* name : {"a", "b", "c"}) Take(Flow(name, "00.000", name, "RUNNING"));
  EXPECT_EQ(BlockOf(progress_, 0, 10, 3).size(), 3U);
  for (const auto& line : BlockOf(progress_, 0, 10, 3)) EXPECT_LE(line.size(), 10U);
}

TEST_F(ProgressTest, WhatIsNoPartOfTheUpdateIsNotCounted) {
  progress_.TakeState("RUNNING");
  Take(Flow("1", "00.000", "a", "EXCLUDED"));
  EXPECT_EQ(Block(), "RUNNING  0 of 0 tables done, 0 rows written  01:07");
}

TEST_F(ProgressTest, NamesFromTheSourceMoveNoCursor) {
  Take(Flow("1", "00.000", "a\\u001b[2Jb", "RUNNING"));
  EXPECT_THAT(Block(), HasSubstr("a\\x1b[2Jb"));
}

TEST_F(ProgressTest, AnUpdateEndsAsItsTablesDid) {
  Take(Flow("1", "00.000", "public.t", "FAILED"));
  Take(Failure("2", "KEY_CHANGED"));
  progress_.TakeState("FAILED");
  auto ending = progress_.Ending();
  EXPECT_TRUE(ending.status.Is(ErrorClass::KEY_CHANGED));
  EXPECT_EQ(ending.status.message(), "it broke");
  EXPECT_TRUE(ending.only_tables);
}

TEST_F(ProgressTest, WhatConcernsNoTableIsNoTables) {
  Take(Failure("1", "SOURCE_AUTH"));
  progress_.TakeState("FAILED");
  EXPECT_TRUE(progress_.Ending().status.Is(ErrorClass::SOURCE_AUTH));
  EXPECT_FALSE(progress_.Ending().only_tables);
  progress_.TakeState("CANCELED");
  EXPECT_TRUE(progress_.Ending().status.Is(ErrorClass::CANCELLED));
}

TEST(Timestamp, IsReadAsTheServerWritesIt) {
  EXPECT_EQ(MillisecondsOf("2026-01-01T00:00:01.250Z"), 1767225601250);
  EXPECT_EQ(MillisecondsOf("soon"), -1);
  EXPECT_EQ(MillisecondsOf("2026-13-01T00:00:01.250Z"), -1);
}

class WatchTest : public testing::Test {
 protected:
  void State(const std::string& state) {
    api_.Answers(fmt::format(R"({{"update": {{"state": "{}"}}}})", state));
  }
  void Events(const std::vector<std::string>& events, const std::string& token = "") {
    api_.Answers(fmt::format(R"({{"events": [{}], "next_page_token": "{}"}})",
                             fmt::join(events, ", "), token));
  }
  Outcome Watched(const std::string& update = "u", bool json = false) {
    return Watch({.pipeline = "p", .update = update, .lines_of_json = json}, &api_, &machine_);
  }
  FakeApi api_;
  FakeSurroundings machine_;
};

TEST_F(WatchTest, EachEventIsToldOnce) {
  api_.Answers(R"({"updates": [{"update_id": "u"}]})");
  State("RUNNING");
  Events({Event("1", "01.000", "create_update", "\"x\": 1")}, "more");
  Events({Event("2", "02.000", "user_action", "\"x\": 1")});
  State("COMPLETED");
  Events({Event("2", "02.000", "user_action", "\"x\": 1"),
          Event("3", "02.000", "update_progress", "\"x\": 1")});
  EXPECT_TRUE(Watched("").status.ok());
  EXPECT_EQ(machine_.printed,
            "2026-01-01T00:00:01.000Z  INFO   create_update 1\n"
            "2026-01-01T00:00:02.000Z  INFO   user_action 2\n"
            "2026-01-01T00:00:02.000Z  INFO   update_progress 3\n"
            "COMPLETED: 0 of 0 tables done; 0 rows upserted, 0 deleted\n");
  EXPECT_EQ(api_.Asked(0), "GET /api/2.0/pipelines/p/updates?max_results=1");
  EXPECT_THAT(api_.Asked(3), HasSubstr("page_token=more"));
  EXPECT_THAT(api_.Asked(5), HasSubstr(Encoded("timestamp >= '2026-01-01T00:00:02.000Z'")));
}

TEST_F(WatchTest, ProgramsGetTheEventsAsTheyAre) {
  State("COMPLETED");
  Events({Flow("1", "01.000", "public.t", "COMPLETED")});
  EXPECT_TRUE(Watched("u", true).status.ok());
  EXPECT_EQ(ParseJson<Json>(machine_.printed),
            ParseJson<Json>(Flow("1", "01.000", "public.t", "COMPLETED")));
  EXPECT_EQ(machine_.printed.find('\n'), machine_.printed.size() - 1);
}

TEST_F(WatchTest, OnATerminalABlockIsDrawnAgain) {
  machine_.size = {80, 24};
  State("RUNNING");
  Events({Flow("1", "01.000", "public.t", "RUNNING")});
  State("COMPLETED");
  Events({Flow("2", "02.000", "public.t", "COMPLETED")});
  EXPECT_TRUE(Watched().status.ok());
  EXPECT_THAT(machine_.printed, HasSubstr("public.t  RUNNING"));
  EXPECT_THAT(machine_.printed, HasSubstr("\x1b[2A\x1b[JCOMPLETED: 1 of 1 tables done"));
}

TEST_F(WatchTest, AServerThatIsAwayForAMomentIsWaitedFor) {
  State("RUNNING");
  Events({});
  for (int i = 0; i < 3; ++i)
    api_.answers.emplace_back(Error(ErrorClass::SOURCE_UNREACHABLE, "there is no server at h"));
  State("COMPLETED");
  Events({});
  EXPECT_TRUE(Watched().status.ok());
  EXPECT_EQ(machine_.noted, "there is no server at h; waiting for it\n");
}

TEST_F(WatchTest, AServerThatWasNeverThereIsNot) {
  api_.answers.emplace_back(Error(ErrorClass::SOURCE_UNREACHABLE, "there is no server at h"));
  EXPECT_TRUE(Watched().status.Is(ErrorClass::SOURCE_UNREACHABLE));
  EXPECT_EQ(api_.calls.size(), 1U);
}

TEST_F(WatchTest, AFailureSaysWhereToLookOn) {
  State("FAILED");
  Events({Flow("1", "01.000", "public.t", "FAILED"), Failure("2", "TABLE_NO_IDENTITY")});
  auto ending = Watched();
  EXPECT_TRUE(ending.only_tables);
  EXPECT_THAT(std::string(ending.status.remedy()), HasSubstr("--update u --level ERROR"));
  EXPECT_EQ(machine_.noted, "failed: flow_progress 1\n");
}

TEST_F(WatchTest, APipelineWithoutUpdatesHasNothingToWatch) {
  api_.Answers(R"({"updates": []})");
  EXPECT_TRUE(Watched("").status.Is(ErrorClass::NOT_FOUND));
}

TEST_F(WatchTest, ItEndsWhereNobodyReadsItAnyMore) {
  machine_.deaf = true;
  State("RUNNING");
  Events({Flow("1", "01.000", "public.t", "RUNNING")});
  EXPECT_TRUE(Watched().status.ok());
  EXPECT_EQ(api_.calls.size(), 2U);
}

}  // namespace
}  // namespace freshet::client
