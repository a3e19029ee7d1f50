// SPDX-License-Identifier: Apache-2.0
#include "pipeline/follower_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "base/random.h"

namespace freshet::pipeline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class FollowerLogTest : public testing::Test {
 protected:
  FollowerLogTest() {
    std::filesystem::create_directories(folder_);
    std::array<store::Migrations, 1> migrations{kMigrations};
    database_ = std::move(store::Database::Open(folder_ + "/freshet.db", migrations)).value();
    book_ = std::make_unique<PipelineBook>(database_.get(), &clock_);
    log_ = std::make_unique<FollowerLog>(book_.get());
    for (const auto* name : {"one", "two"}) {
      auto added = book_->Add({.id = name, .name = name, .spec = "{}", .parameters = "{}"}, false);
      followers_.push_back({.record = *added, .definition = {}});
    }
  }
  ~FollowerLogTest() override { std::filesystem::remove_all(folder_); }

  UpdateRecord Begin(const std::string& pipeline) {
    return *book_->Begin(pipeline, "API_CALL", "{}");
  }
  void End(const UpdateRecord& update) {
    ASSERT_TRUE(*book_->Enter(update, UpdateState::kCompleted, {.pipeline = update.pipeline}));
  }
  void Tell(const std::string& name, bool difference = false) {
    record::Event event{name,
                        {{"table", std::string("public.t")},
                         {"flow", std::string("one-t1")},
                         {"difference", difference},
                         {"chunks", int64_t{4}},
                         {"chunks_left", int64_t{2}}}};
    ASSERT_TRUE(log_->Tell(followers_, event).ok());
  }
  /// What was told of snapshots, the oldest first: the update and the status.
  std::vector<std::string> Told(const std::string& pipeline = "one") {
    std::vector<std::string> told;
    EventRequest request{.oldest_first = true, .rows = 100};
    const auto events = *book_->Events(pipeline, request);
    for (const auto& event : events) {
      if (event.type != "operation_progress") continue;
      for (const auto* status : {"STARTED", "IN_PROGRESS", "COMPLETED"}) {
        if (event.details.find(status) != std::string::npos)
          told.push_back(event.update + " " + status);
      }
    }
    return told;
  }

  const std::string folder_ = testing::TempDir() + "follower_log_" + RandomHex(6);
  SystemClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<PipelineBook> book_;
  std::unique_ptr<FollowerLog> log_;
  std::vector<Follower> followers_;
};

TEST_F(FollowerLogTest, WhatComesAfterAnUpdatesEndIsToldToThatUpdate) {
  auto update = Begin("one");
  Tell("snapshot_started");
  End(update);
  Tell("snapshot_progress");
  Tell("snapshot_completed");
  EXPECT_THAT(Told(), ElementsAre(update.id + " STARTED", update.id + " IN_PROGRESS",
                                  update.id + " COMPLETED"));
  EXPECT_THAT(Told("two"), IsEmpty());
}

TEST_F(FollowerLogTest, EvenWhereAllOfItComesLate) {
  auto update = Begin("one");
  End(update);
  Tell("snapshot_started");
  Tell("snapshot_completed");
  EXPECT_THAT(Told(), ElementsAre(update.id + " STARTED", update.id + " COMPLETED"));
}

TEST_F(FollowerLogTest, TheUpdateThatRunsIsTold) {
  End(Begin("one"));
  auto second = Begin("one");
  Tell("snapshot_completed");
  EXPECT_THAT(Told(), ElementsAre(second.id + " COMPLETED"));
}

TEST_F(FollowerLogTest, WhatIsReadBecauseItsTimeHasComeIsNobodys) {
  auto first = Begin("one");
  End(first);
  Tell("snapshot_started", true);
  Tell("snapshot_completed");
  EXPECT_THAT(Told(), IsEmpty());
  auto second = Begin("one");
  Tell("snapshot_started", true);
  End(second);
  Tell("snapshot_completed");
  EXPECT_THAT(Told(), ElementsAre(second.id + " STARTED", second.id + " COMPLETED"));
}

}  // namespace
}  // namespace freshet::pipeline
