// SPDX-License-Identifier: Apache-2.0
#include "pipeline/restart_windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <set>

#include "base/random.h"
#include "fakes/fake_clock.h"

namespace freshet::pipeline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

constexpr char kWindow[] = R"({"restart_window": {"start_hour": 3}})";

/// The clock begins at midnight, UTC.
class RestartWindowsTest : public testing::Test {
 protected:
  RestartWindowsTest() {
    std::filesystem::create_directories(folder_);
    std::array<store::Migrations, 1> migrations{kMigrations};
    database_ = std::move(store::Database::Open(folder_ + "/freshet.db", migrations)).value();
    book_ = std::make_unique<PipelineBook>(database_.get(), &clock_);
  }
  ~RestartWindowsTest() override { std::filesystem::remove_all(folder_); }

  PipelineRecord Add(const std::string& id, const std::string& spec = kWindow,
                     bool continuous = true) {
    auto added = book_->Add(
        {.id = id, .name = id, .spec = spec, .parameters = "{}", .continuous = continuous}, true);
    EXPECT_TRUE(added.ok()) << added.status().ToString();
    return *added;
  }
  UpdateRecord Begin(const std::string& id, const std::string& request = "{}") {
    return Run(*book_->Begin(id, "API_CALL", request));
  }
  UpdateRecord Run(UpdateRecord update) {
    EXPECT_TRUE(book_->Enter(update, UpdateState::kRunning, {.pipeline = update.pipeline}).ok());
    update.state = UpdateState::kRunning;
    return update;
  }
  /// A server's, that ends when the test says so.
  RestartWindows Open() {
    return RestartWindows({.book = book_.get(), .clock = &clock_, .restart = [this](auto& update) {
                             restarted_.push_back(update.pipeline);
                             auto next = book_->Succeed(update, {.pipeline = update.pipeline},
                                                        "INFRASTRUCTURE_MAINTENANCE", "{}");
                             EXPECT_TRUE(next.ok() && next->has_value());
                             Run(**next);
                           }});
  }
  std::vector<std::string> Restarted() { return std::exchange(restarted_, {}); }
  /// Step on to so long after the beginning; return who was begun anew on the way.
  std::vector<std::string> StepTo(RestartWindows& windows, std::chrono::minutes until) {
    while (passed_ < until) {
      clock_.Advance(1min);
      passed_ += 1min;
      windows.Step();
    }
    return Restarted();
  }

  const std::string folder_ = testing::TempDir() + "restart_windows_" + RandomHex(6);
  fakes::FakeClock clock_;
  std::chrono::microseconds passed_{0};
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<PipelineBook> book_;
  std::vector<std::string> restarted_;
};

TEST_F(RestartWindowsTest, AnUpdateIsBegunAnewOnceInEachWindowWithinItsFirstHour) {
  Add("a");
  auto update = Begin("a");
  auto windows = Open();
  EXPECT_THAT(StepTo(windows, 3h - 1min), IsEmpty());
  EXPECT_THAT(StepTo(windows, 4h), ElementsAre("a"));
  EXPECT_EQ(book_->GetUpdate("a", update.id)->state, UpdateState::kCanceled);
  auto next = *book_->Active("a");
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->cause, "INFRASTRUCTURE_MAINTENANCE");
  EXPECT_THAT(StepTo(windows, 27h - 1min), IsEmpty());
  EXPECT_THAT(StepTo(windows, 28h), ElementsAre("a"));
}

TEST_F(RestartWindowsTest, EachPipelineHasItsOwnMoment) {
  for (const std::string id : {"a", "b", "c", "d"}) {
    Add(id);
    Begin(id);
  }
  auto windows = Open();
  EXPECT_THAT(StepTo(windows, 3h - 1min), IsEmpty());
  std::set<int> moments;
  std::vector<std::string> all;
  for (int minute = 0; minute <= 60; ++minute) {
    auto some = StepTo(windows, 3h + std::chrono::minutes(minute));
    if (!some.empty()) moments.insert(minute);
    all.insert(all.end(), some.begin(), some.end());
  }
  EXPECT_THAT(all, UnorderedElementsAre("a", "b", "c", "d"));
  EXPECT_GT(moments.size(), 1U);
}

TEST_F(RestartWindowsTest, OnlyWhatRunsOnAndOnHasAny) {
  Add("gateway", R"({"gateway_definition": {}, "restart_window": {"start_hour": 3}})", false);
  Add("triggered", kWindow, false);
  Add("without", "{}");
  Add("idle");
  Add("waits");
  Add("looks");
  Add("stopping");
  for (const std::string id : {"gateway", "triggered", "without", "stopping"}) Begin(id);
  Begin("looks", R"({"validate_only": true})");
  // What it was asked for has not been begun.
  ASSERT_TRUE(book_->Begin("waits", "API_CALL", R"({"full_refresh": true})").ok());
  ASSERT_TRUE(
      book_->Enter(**book_->Active("stopping"), UpdateState::kStopping, {.pipeline = "stopping"})
          .ok());
  auto windows = Open();
  EXPECT_THAT(StepTo(windows, 8h), ElementsAre("gateway"));
}

TEST_F(RestartWindowsTest, WhatBeganWithinTheWindowIsLeftAlone) {
  Add("a");
  auto windows = Open();
  EXPECT_THAT(StepTo(windows, 3h), IsEmpty());
  Begin("a");
  EXPECT_THAT(StepTo(windows, 27h - 1min), IsEmpty());
  EXPECT_THAT(StepTo(windows, 28h), ElementsAre("a"));
}

TEST_F(RestartWindowsTest, AServerThatWasAwayDoesItWhenItIsBack) {
  Add("a");
  Begin("a");
  clock_.Advance(8h - 1min);
  auto late = Open();
  late.Step();
  EXPECT_THAT(Restarted(), ElementsAre("a"));
  auto another = Open();
  another.Step();
  EXPECT_THAT(Restarted(), IsEmpty());
  clock_.Advance(24h + 1min);
  auto too_late = Open();
  too_late.Step();
  EXPECT_THAT(Restarted(), IsEmpty());
}

TEST_F(RestartWindowsTest, AnEditCountsAtOnce) {
  auto pipeline = Add("a");
  Begin("a");
  auto windows = Open();
  EXPECT_THAT(StepTo(windows, 1h), IsEmpty());
  pipeline.spec = R"({"restart_window": {"start_hour": 10}})";
  ASSERT_TRUE(book_->Edit(pipeline, false, 0).ok());
  EXPECT_THAT(StepTo(windows, 10h - 1min), IsEmpty());
  EXPECT_THAT(StepTo(windows, 11h), ElementsAre("a"));
}

TEST_F(RestartWindowsTest, NoneIsBegunForWhatIsStoppedOrDeletedMeanwhile) {
  auto succeed = [&](const UpdateRecord& update) {
    auto next = book_->Succeed(update, {.pipeline = update.pipeline}, "X", "{}");
    EXPECT_TRUE(next.ok()) << next.status().ToString();
    return next.ok() && next->has_value();
  };
  for (const std::string id : {"stopped", "deleted", "ended"}) Add(id);
  auto stopped = Begin("stopped"), deleted = Begin("deleted"), ended = Begin("ended");
  ASSERT_TRUE(book_->Enter(stopped, UpdateState::kStopping, {.pipeline = "stopped"}).ok());
  ASSERT_TRUE(book_->Close("deleted"));
  ASSERT_TRUE(book_->Enter(ended, UpdateState::kFailed, {.pipeline = "ended"}).ok());
  for (const auto& update : {stopped, deleted, ended}) {
    EXPECT_FALSE(succeed(update)) << update.pipeline;
    EXPECT_FALSE(book_->Active(update.pipeline)->has_value()) << update.pipeline;
  }
  EXPECT_EQ(book_->GetUpdate("stopped", stopped.id)->state, UpdateState::kCanceled);
  EXPECT_EQ(book_->GetUpdate("ended", ended.id)->state, UpdateState::kFailed);
}

}  // namespace
}  // namespace freshet::pipeline
