// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gateway_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/event_line.h"

namespace freshet::pipeline {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

record::Event Segment(int64_t rows) {
  return {"segment_sealed",
          {{"rows", rows}, {"bytes", 10 * rows}, {"lag_ms", int64_t{7}}, {"bytes_behind", rows}}};
}
record::Event Snapshot(const std::string& table, int64_t left) {
  return {"snapshot_progress", {{"table", table}, {"chunks_left", left}}};
}
record::Event Changes(const std::string& table, int64_t upserted, int64_t deleted) {
  return {"changes_staged",
          {{"table", table},
           {"upserted", upserted},
           {"deleted", deleted},
           {"bytes", 10 * upserted},
           {"committed_at", 1000 * upserted},
           {"lag_ms", int64_t{7}}}};
}

class GatewayProgressTest : public testing::Test {
 protected:
  GatewayProgressTest() {
    Configuration configuration;
    configuration.progress_interval = kInterval;
    progress_.Configure(configuration);
  }
  static constexpr std::chrono::seconds kInterval{60};
  MonotonicTime now_ = MonotonicTime() + std::chrono::hours(1);
  GatewayProgress progress_;
};

TEST_F(GatewayProgressTest, CountersAreSinceTheLastTime) {
  auto told = progress_.Take(Segment(1), now_);
  ASSERT_THAT(told, SizeIs(1)) << "the first is told at once";
  EXPECT_EQ(NumberOf(told[0], "rows"), 1);
  EXPECT_THAT(progress_.Take(Segment(2), now_), IsEmpty());
  EXPECT_THAT(progress_.Take(Segment(3), now_ + kInterval / 2), IsEmpty());
  told = progress_.Due(now_ + kInterval);
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(NumberOf(told[0], "rows"), 5);
  EXPECT_EQ(NumberOf(told[0], "bytes"), 50);
  EXPECT_EQ(NumberOf(told[0], "lag_ms"), 7);
  EXPECT_EQ(NumberOf(told[0], "bytes_behind"), 3);
}

TEST_F(GatewayProgressTest, NothingIsToldTooSoThatOneSeesThatItLives) {
  progress_.Take(Segment(1), now_);
  EXPECT_THAT(progress_.Due(now_ + kInterval / 2), IsEmpty());
  auto told = progress_.Due(now_ + kInterval);
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].name, "segment_sealed");
  EXPECT_EQ(NumberOf(told[0], "rows"), 0);
  EXPECT_EQ(NumberOf(told[0], "lag_ms"), 0);
}

TEST_F(GatewayProgressTest, EachTablesCountersAreSinceTheLastTime) {
  EXPECT_THAT(progress_.Take({"table_found", {{"table", "quiet"}}}, now_), SizeIs(1));
  progress_.Take(Segment(1), now_);
  EXPECT_THAT(progress_.Take(Changes("a", 5, 1), now_), IsEmpty());
  EXPECT_THAT(progress_.Take(Changes("a", 6, 2), now_), IsEmpty());
  auto told = progress_.Due(now_ + kInterval);
  ASSERT_THAT(told, SizeIs(2)) << "nothing of the one that is quiet";
  EXPECT_EQ(TextOf(told[1], "table"), "a");
  EXPECT_EQ(NumberOf(told[1], "upserted"), 11);
  EXPECT_EQ(NumberOf(told[1], "deleted"), 3);
  EXPECT_EQ(NumberOf(told[1], "bytes"), 110);
  EXPECT_EQ(NumberOf(told[1], "lag_ms"), 7);
  EXPECT_EQ(NumberOf(told[1], "committed_at"), 6000);
  EXPECT_THAT(progress_.Due(now_ + 2 * kInterval), SizeIs(1));
}

TEST_F(GatewayProgressTest, OfManyTablesThoseWithMostChangesAreTold) {
  progress_.Take(Segment(1), now_);
  for (int i = 1; i <= 300; ++i) progress_.Take(Changes(fmt::format("t{}", i), i, 1), now_);
  auto told = progress_.Due(now_ + kInterval);
  ASSERT_THAT(told, SizeIs(251));
  for (size_t i = 1; i < told.size(); ++i) EXPECT_GT(NumberOf(told[i], "upserted"), 50);
}

TEST_F(GatewayProgressTest, OfASnapshotTheLastIsToldAndNoneAfterItsEnd) {
  EXPECT_THAT(progress_.Take(Snapshot("a", 9), now_), SizeIs(2));
  EXPECT_THAT(progress_.Take(Snapshot("a", 8), now_), IsEmpty());
  EXPECT_THAT(progress_.Take(Snapshot("a", 7), now_), IsEmpty());
  EXPECT_THAT(progress_.Take(Snapshot("b", 5), now_), IsEmpty());
  EXPECT_THAT(progress_.Take({"snapshot_completed", {{"table", "b"}}}, now_), SizeIs(1));
  auto told = progress_.Due(now_ + kInterval);
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(TextOf(told[1], "table"), "a");
  EXPECT_EQ(NumberOf(told[1], "chunks_left"), 7);
}

TEST_F(GatewayProgressTest, WhatWaitsIsToldAtTheEndAndTheNextBeginsAtOnce) {
  progress_.Take(Segment(1), now_);
  EXPECT_THAT(progress_.Rest(), IsEmpty());
  progress_.Take(Segment(2), now_);
  auto told = progress_.Rest();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(NumberOf(told[0], "rows"), 2);
  EXPECT_THAT(progress_.Take(Segment(3), now_), SizeIs(1));
}

TEST_F(GatewayProgressTest, WhoDoesNotWantItIsToldAllElse) {
  Configuration configuration;
  configuration.tells_progress = false;
  progress_.Configure(configuration);
  EXPECT_THAT(progress_.Take(Segment(1), now_), IsEmpty());
  EXPECT_THAT(progress_.Take(Snapshot("a", 9), now_), IsEmpty());
  EXPECT_THAT(progress_.Due(now_ + std::chrono::hours(1)), IsEmpty());
  EXPECT_THAT(progress_.Rest(), IsEmpty());
  EXPECT_THAT(progress_.Take({"table_broken", {{"table", "a"}}}, now_), SizeIs(1));
}

}  // namespace
}  // namespace freshet::pipeline
