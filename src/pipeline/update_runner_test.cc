// SPDX-License-Identifier: Apache-2.0
#include "pipeline/update_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "base/server_limits.h"
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

TEST_F(UpdateRunnerTest, WhatIsUnderWayIsNotDeleted) {
  UpdateRunner runner(parts_);
  auto update = *book_->Begin(pipeline_.id, "API_CALL", "{}");
  auto deleted = DeletePipeline(parts_, runner, pipeline_, {});
  ASSERT_TRUE(deleted.ok()) << deleted.status().ToString();
  EXPECT_FALSE(deleted->done) << "it is to be asked for again";
  runner.Submit(update);
  EXPECT_TRUE(Ends(runner));
  deleted = DeletePipeline(parts_, runner, pipeline_, {});
  ASSERT_TRUE(deleted.ok()) << deleted.status().ToString();
  EXPECT_TRUE(deleted->done);
  EXPECT_TRUE(book_->Get(pipeline_.id).status().Is(ErrorClass::NOT_FOUND));
}

/// Waiting does what somebody else does meanwhile.
class BusyClock final : public Clock {
 public:
  MonotonicTime Now() const override { return clock_.Now(); }
  UtcMicros WallNow() const override { return clock_.WallNow(); }
  void WaitUntil(Deadline deadline, const std::stop_token& stop) override {
    clock_.WaitUntil(deadline, stop);
    meanwhile();
  }
  std::function<void()> meanwhile = [] {};

 private:
  mutable SystemClock clock_;
};

TEST_F(UpdateRunnerTest, ASecondDeletionWaitsForTheFirst) {
  BusyClock clock;
  parts_.clock = &clock;
  UpdateRunner runner(parts_);
  // The first gives up: the second does it.
  ASSERT_TRUE(book_->Close(pipeline_.id));
  clock.meanwhile = [&] { book_->Reopen(pipeline_.id); };
  auto deleted = DeletePipeline(parts_, runner, pipeline_, {});
  EXPECT_TRUE(deleted.ok() && deleted->done);
  EXPECT_TRUE(book_->Get(pipeline_.id).status().Is(ErrorClass::NOT_FOUND));
  // The first succeeds, and so has the second.
  auto other =
      *book_->Add({.id = RandomUuid(), .name = "q", .spec = "{}", .parameters = "{}"}, false);
  ASSERT_TRUE(book_->Close(other.id));
  clock.meanwhile = [&] {
    EXPECT_TRUE(book_->Remove(other.id).ok());
    book_->Reopen(other.id);
    clock.meanwhile = [] {};
  };
  deleted = DeletePipeline(parts_, runner, other, {});
  EXPECT_TRUE(deleted.ok() && deleted->done);
}

/// The same with a gateway, over a catalog that has what it names.
class GatewayUpdatesTest : public UpdateRunnerTest {
 protected:
  void SetUp() override {
    MakeSecurable({.kind = catalog::Kind::kCatalog,
                   .path = {"main"},
                   .facts = {{"storage_location", catalog::FileUri(folder_ + "/tables/main")}}});
    MakeSecurable({.kind = catalog::Kind::kConnection,
                   .path = {"shop"},
                   .options = {{"host", "127.0.0.1"},
                               {"port", "1"},
                               {"user", "u"},
                               {"userProvidedServerCertificate", "pem"}},
                   .facts = {{"connection_type", "POSTGRESQL"}}});
    // Each process of a run dies without a word.
    parts_.program = {"/bin/false"};
    gateway_ = AddPipeline("gateway", R"({"gateway_definition": {"connection_name": "shop",
        "gateway_storage_catalog": "main", "gateway_storage_schema": "staging"}})");
  }
  void MakeSecurable(catalog::Securable securable) {
    auto made = catalog_->Create(std::move(securable), {}, "a");
    ASSERT_TRUE(made.ok()) << made.status().ToString();
  }
  PipelineRecord AddPipeline(const std::string& name, const std::string& spec) {
    auto added = book_->Add({.id = RandomUuid(), .name = name, .spec = spec, .parameters = "{}"},
                            /*duplicates=*/true);
    EXPECT_TRUE(added.ok()) << added.status().ToString();
    return *added;
  }
  static std::string SpecOver(const std::string& source) {
    return R"({"ingestion_definition": {)" + source + R"(, "objects": [{"schema": {
        "source_catalog": "shop", "source_schema": "public", "destination_catalog": "main",
        "destination_schema": "public"}}]}})";
  }
  PipelineRecord AddFollower() {
    return AddPipeline("p", SpecOver(R"("ingestion_gateway_id": ")" + gateway_.id + "\""));
  }
  UpdateRecord Begin(const PipelineRecord& pipeline, const std::string& request = "{}") {
    return *book_->Begin(pipeline.id, "API_CALL", request);
  }
  UpdateState StateOf(const UpdateRecord& update) {
    return book_->GetUpdate(update.pipeline, update.id)->state;
  }
  bool WaitFor(const std::function<bool()>& what) {
    auto deadline = clock_.Now() + std::chrono::seconds(60);
    while (!what() && clock_.Now() < deadline)
      clock_.WaitUntil(clock_.Now() + std::chrono::milliseconds(10), {});
    return what();
  }
  bool IsTold(const PipelineRecord& pipeline, const std::string& text) {
    const auto events = *book_->Events(pipeline.id, {.rows = 100});
    return std::ranges::any_of(events, [&](const EventRecord& event) {
      return event.message.find(text) != std::string::npos;
    });
  }
  /// What cannot be followed where a folder is to be, until it is taken away.
  void Block(const std::string& name) {
    std::filesystem::create_symlink(name, folder_ + "/" + name);
  }
  void Unblock(const std::string& name) { std::filesystem::remove(folder_ + "/" + name); }

  PipelineRecord gateway_;
};

TEST_F(GatewayUpdatesTest, WhoWaitsForAGatewayKeepsNobodyElseFromRunning) {
  UpdateRunner runner(parts_);
  // It is started, and never comes to capture.
  Begin(gateway_);
  std::vector<UpdateRecord> waiting;
  for (size_t i = 0; i < limits::kUpdatesMax; ++i) waiting.push_back(Begin(AddFollower()));
  for (const auto& update : waiting) runner.Submit(update);
  for (const auto& update : waiting)
    EXPECT_TRUE(WaitFor([&] { return StateOf(update) == UpdateState::kWaitingForResources; }));
  auto other =
      AddPipeline("other", SpecOver(R"("connection_name": "none", "connector_type": "CDC")"));
  auto update = Begin(other);
  runner.Submit(update);
  EXPECT_TRUE(WaitFor([&] { return StateOf(update) == UpdateState::kFailed; }));
  EXPECT_TRUE(IsTold(other, "does not exist"));
  for (const auto& each : waiting) EXPECT_EQ(StateOf(each), UpdateState::kWaitingForResources);
}

TEST_F(GatewayUpdatesTest, AGatewayThatIsOnlyLookedAtCapturesNothing) {
  UpdateRunner runner(parts_);
  Begin(gateway_, R"({"validate_only": true})");
  auto follower = AddFollower();
  auto update = Begin(follower);
  runner.Submit(update);
  EXPECT_TRUE(WaitFor([&] { return StateOf(update) == UpdateState::kFailed; }));
  EXPECT_TRUE(IsTold(follower, "does not run"));
}

TEST_F(GatewayUpdatesTest, WhatIsBegunAnewIsFollowedAtOnce) {
  UpdateRunner runner(parts_);
  auto update = Begin(gateway_);
  runner.Submit(update);
  ASSERT_TRUE(WaitFor([&] { return StateOf(update) == UpdateState::kRunning; }));
  runner.Restart(update);
  runner.Restart(update);
  ASSERT_TRUE(WaitFor([&] { return IsFinal(StateOf(update)); }));
  EXPECT_EQ(StateOf(update), UpdateState::kCanceled);
  auto next = *book_->Active(gateway_.id);
  ASSERT_TRUE(next.has_value()) << "not even for a moment has a gateway no update";
  EXPECT_EQ(next->cause, "INFRASTRUCTURE_MAINTENANCE");
  ASSERT_TRUE(WaitFor([&] { return StateOf(*next) == UpdateState::kRunning; }));
  runner.Restart(update);
  ASSERT_TRUE(runner.Stop(gateway_.id).ok());
  EXPECT_TRUE(runner.WaitForEnd(gateway_.id, clock_.Now() + std::chrono::seconds(60)));
  EXPECT_EQ(StateOf(*next), UpdateState::kCanceled);
  EXPECT_FALSE(book_->Active(gateway_.id)->has_value());
  EXPECT_EQ(book_->Updates(gateway_.id, 10, 0)->size(), 2U);
}

TEST_F(GatewayUpdatesTest, AGatewayThatCannotBePreparedTriesAgain) {
  UpdateRunner runner(parts_);
  Block("volumes");
  auto update = Begin(gateway_);
  runner.Submit(update);
  EXPECT_TRUE(WaitFor([&] { return IsTold(gateway_, "cannot begin yet"); }));
  EXPECT_FALSE(IsFinal(StateOf(update)));
  Unblock("volumes");
  EXPECT_TRUE(WaitFor([&] { return StateOf(update) == UpdateState::kRunning; }));
}

TEST_F(GatewayUpdatesTest, AGatewayWhoseRunCannotBePlannedTriesAgain) {
  UpdateRunner runner(parts_);
  AddFollower();
  // Where the certificate is to be written.
  Block("connections");
  auto update = Begin(gateway_);
  runner.Submit(update);
  EXPECT_TRUE(WaitFor([&] { return IsTold(gateway_, "cannot begin yet"); }));
  EXPECT_EQ(StateOf(update), UpdateState::kRunning);
  Unblock("connections");
  EXPECT_TRUE(WaitFor([&] { return IsTold(gateway_, "ended without a word"); }))
      << "its process was started";
  EXPECT_EQ(StateOf(update), UpdateState::kRunning);
}

TEST_F(GatewayUpdatesTest, WhatOnlyTheUserCanMendFailsAGateway) {
  UpdateRunner runner(parts_);
  AddFollower();
  ASSERT_TRUE(catalog_->Drop(catalog::Kind::kConnection, {"shop"}, false).ok());
  auto update = Begin(gateway_);
  runner.Submit(update);
  EXPECT_TRUE(WaitFor([&] { return StateOf(update) == UpdateState::kFailed; }));
}

TEST_F(GatewayUpdatesTest, WhatCannotBeRemovedKeepsNothingElseFromGoing) {
  UpdateRunner runner(parts_);
  auto pipeline = AddFollower();
  MakeSecurable({.kind = catalog::Kind::kSchema, .path = {"main", "public"}});
  for (const std::string name : {"a", "b", "c"}) {
    const auto place = folder_ + "/tables/" + name;
    MakeSecurable(
        {.kind = catalog::Kind::kTable,
         .path = {"main", "public", name},
         .facts = {{"pipeline_id", pipeline.id}, {"storage_location", catalog::FileUri(place)}}});
    if (name == "c") continue;
    std::filesystem::create_directories(place + "/_delta_log");
    std::ofstream(place + "/_delta_log/00000000000000000000.json") << "no JSON";
  }
  std::filesystem::create_directories(FolderOfPipeline(folder_, pipeline.id) + "/log");
  auto refused = DeletePipeline(parts_, runner, pipeline, {});
  EXPECT_FALSE(refused.ok());
  EXPECT_EQ(catalog_->TablesOf(pipeline.id)->size(), 3U);
  auto deleted = DeletePipeline(parts_, runner, pipeline, {.force = true});
  ASSERT_TRUE(deleted.ok()) << deleted.status().ToString();
  EXPECT_TRUE(deleted->done);
  ASSERT_EQ(deleted->left.size(), 2U);
  EXPECT_NE(deleted->left[0].ToString().find("main.public.a"), std::string::npos);
  EXPECT_NE(deleted->left[1].ToString().find("main.public.b"), std::string::npos);
  EXPECT_TRUE(catalog_->Get(catalog::Kind::kTable, {"main", "public", "c"})
                  .status()
                  .Is(ErrorClass::NOT_FOUND));
  EXPECT_FALSE(std::filesystem::exists(FolderOfPipeline(folder_, pipeline.id)));
}

}  // namespace
}  // namespace freshet::pipeline
