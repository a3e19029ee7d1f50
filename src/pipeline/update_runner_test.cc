// SPDX-License-Identifier: Apache-2.0
#include "pipeline/update_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "base/random.h"
#include "pipeline/delete_pipeline.h"

namespace freshet::pipeline {
namespace {

/// Updates of a pipeline whose specification says nothing: each fails before it starts a process.
class UpdateRunnerTest : public testing::Test {
 protected:
  UpdateRunnerTest() {
    std::filesystem::create_directories(folder_);
    std::array<store::Migrations, 2> migrations{catalog::kMigrations, kMigrations};
    database_ = std::move(store::Database::Open(folder_ + "/freshet.db", migrations)).value();
    book_ = std::make_unique<PipelineBook>(database_.get(), &clock_);
    catalog_ = std::make_unique<catalog::Catalog>(
        database_.get(), *catalog::SecretBox::FromKey(Secret(RandomHex(32))), &clock_);
    parts_.book = book_.get();
    parts_.catalog = catalog_.get();
    parts_.clock = &clock_;
    parts_.data = folder_;
    pipeline_ =
        *book_->Add({.id = RandomUuid(), .name = "p", .spec = "{}", .parameters = "{}"}, false);
  }
  ~UpdateRunnerTest() override { std::filesystem::remove_all(folder_); }

  UpdateState StateOf(const UpdateRecord& update) {
    return book_->GetUpdate(pipeline_.id, update.id)->state;
  }
  bool Ends(UpdateRunner& runner) {
    return runner.WaitForEnd(pipeline_.id, clock_.Now() + std::chrono::seconds(10));
  }

  const std::string folder_ = testing::TempDir() + "update_runner_" + RandomHex(6);
  SystemClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<PipelineBook> book_;
  std::unique_ptr<catalog::Catalog> catalog_;
  UpdateParts parts_;
  PipelineRecord pipeline_;
};

TEST_F(UpdateRunnerTest, AStopBeforeTheUpdateIsInAThreadHolds) {
  UpdateRunner runner(parts_);
  auto update = *book_->Begin(pipeline_.id, "API_CALL", "{}");
  ASSERT_TRUE(runner.Stop(pipeline_.id).ok());
  runner.Submit(update);
  EXPECT_TRUE(Ends(runner));
  EXPECT_EQ(StateOf(update), UpdateState::kCanceled);
}

TEST_F(UpdateRunnerTest, AnUpdateIsBegunWithItsEventsOrNotAtAll) {
  auto tell = [](const UpdateRecord& update) {
    return std::vector{EventRecord{.pipeline = update.pipeline, .message = "begun"}};
  };
  ASSERT_TRUE(database_->Execute("ALTER TABLE events RENAME TO away").ok());
  EXPECT_FALSE(book_->Begin(pipeline_.id, "API_CALL", "{}", tell).ok());
  EXPECT_FALSE(book_->Active(pipeline_.id)->has_value());
  ASSERT_TRUE(database_->Execute("ALTER TABLE away RENAME TO events").ok());
  ASSERT_TRUE(book_->Begin(pipeline_.id, "API_CALL", "{}", tell).ok());
  EXPECT_EQ(book_->Events(pipeline_.id, {.rows = 10})->at(0).message, "begun");
}

TEST_F(UpdateRunnerTest, AnEndThatCannotBeToldIsToldLater) {
  UpdateRunner runner(parts_);
  auto update = *book_->Begin(pipeline_.id, "API_CALL", "{}");
  ASSERT_TRUE(database_->Execute("ALTER TABLE events RENAME TO away").ok());
  runner.Submit(update);
  EXPECT_FALSE(runner.WaitForEnd(pipeline_.id, clock_.Now() + std::chrono::milliseconds(100)));
  ASSERT_TRUE(database_->Execute("ALTER TABLE away RENAME TO events").ok());
  EXPECT_TRUE(Ends(runner));
  EXPECT_EQ(StateOf(update), UpdateState::kFailed);
}

TEST_F(UpdateRunnerTest, AServerThatEndsDoesNotWaitForWhatCannotBeTold) {
  UpdateRunner runner(parts_);
  auto update = *book_->Begin(pipeline_.id, "API_CALL", "{}");
  ASSERT_TRUE(database_->Execute("ALTER TABLE events RENAME TO away").ok());
  runner.Submit(update);
  runner.Shutdown();
  EXPECT_TRUE(book_->Active(pipeline_.id)->has_value());
}

TEST_F(UpdateRunnerTest, WhatIsUnderWayOrBeingDeletedIsNotDeleted) {
  UpdateRunner runner(parts_);
  auto update = *book_->Begin(pipeline_.id, "API_CALL", "{}");
  auto deleted = DeletePipeline(parts_, runner, pipeline_, true, false);
  EXPECT_TRUE(deleted.Is(ErrorClass::DESTINATION_BUSY)) << deleted.ToString();
  runner.Submit(update);
  EXPECT_TRUE(Ends(runner));
  ASSERT_TRUE(book_->Close(pipeline_.id));
  deleted = DeletePipeline(parts_, runner, pipeline_, true, false);
  EXPECT_TRUE(deleted.Is(ErrorClass::DESTINATION_BUSY)) << deleted.ToString();
  // The second has not ended what the first holds.
  EXPECT_FALSE(book_->Close(pipeline_.id));
  book_->Reopen(pipeline_.id);
  deleted = DeletePipeline(parts_, runner, pipeline_, true, false);
  EXPECT_TRUE(deleted.ok()) << deleted.ToString();
}

}  // namespace
}  // namespace freshet::pipeline
