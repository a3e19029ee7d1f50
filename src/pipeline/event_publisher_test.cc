// SPDX-License-Identifier: Apache-2.0
#include "pipeline/event_publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "base/log.h"
#include "base/random.h"
#include "base/server_limits.h"
#include "delta/stats.h"
#include "fakes/fake_clock.h"
#include "pipeline/event_log.h"
#include "pipeline/update_plan.h"

namespace freshet::pipeline {
namespace {

using catalog::Kind;
using testing::HasSubstr;

std::string SpecWith(const std::string& event_log) {
  return R"({"catalog":"main","schema":"Ops","event_log":)" + event_log + "}";
}

TEST(EventTarget, IsWhatIsSaidOrThePipelinesOwn) {
  EXPECT_FALSE(EventTargetOf("{}", "i")->has_value());
  EXPECT_FALSE(EventTargetOf(SpecWith("null"), "i")->has_value());
  EXPECT_EQ(catalog::FullName((*EventTargetOf(SpecWith("{}"), "a-b-c"))->path()),
            "main.ops.event_log_a_b_c");
  auto said = EventTargetOf(SpecWith(R"({"catalog":"Audit","schema":"log","name":"Events"})"), "i");
  EXPECT_EQ(catalog::FullName((*said)->path()), "audit.log.Events");
  auto former = EventTargetOf(R"({"catalog":"main","target":"old","event_log":{}})", "i");
  EXPECT_EQ((*former)->place.schema, "old");
}

TEST(EventTarget, SaysWhatIsWrong) {
  auto why = [](const std::string& spec) {
    auto target = EventTargetOf(spec, "i");
    EXPECT_TRUE(target.status().Is(ErrorClass::INVALID_ARGUMENT)) << spec;
    return target.status().ToString();
  };
  EXPECT_THAT(why(SpecWith("7")), HasSubstr("event_log is not an object"));
  EXPECT_THAT(why(SpecWith(R"({"nam":"x"})")), HasSubstr("event_log.nam is not a field"));
  EXPECT_THAT(why(SpecWith(R"({"name":7})")), HasSubstr("event_log.name is not a text"));
  EXPECT_THAT(why(SpecWith(R"({"name":"a/b"})")), HasSubstr("a/b"));
  EXPECT_THAT(why(SpecWith(R"({"schema":".."})")), HasSubstr(".."));
  EXPECT_THAT(why(SpecWith("{\"name\":\"" + std::string(200, '%') + "\"}")),
              HasSubstr("more than 255 bytes as a folder's name"));
  EXPECT_THAT(why(R"({"event_log":{"name":"x"}})"),
              HasSubstr("event_log.catalog is missing, and the pipeline has no catalog"));
  EXPECT_THAT(why(R"({"catalog":"main","event_log":{"name":"x"}})"),
              HasSubstr("event_log.schema is missing"));
}

class EventPublisherTest : public testing::Test {
 protected:
  EventPublisherTest() {
    spdlog::set_level(spdlog::level::off);
    std::filesystem::create_directories(folder_);
    std::array<store::Migrations, 2> migrations{catalog::kMigrations, kMigrations};
    database_ = std::move(store::Database::Open(folder_ + "/freshet.db", migrations)).value();
    book_ = std::make_unique<PipelineBook>(database_.get(), &clock_);
    catalog_ = std::make_unique<catalog::Catalog>(
        database_.get(), *catalog::SecretBox::FromKey(Secret(RandomHex(32))), &clock_);
    catalog::Securable main{.kind = Kind::kCatalog, .path = {"main"}};
    main.facts["storage_location"] = catalog::FileUri(folder_ + "/main");
    EXPECT_TRUE(catalog_->Create(main, {}, "admin").ok());
    Restart();
  }
  ~EventPublisherTest() override { std::filesystem::remove_all(folder_); }

  void Restart() {
    publisher_ = std::make_unique<EventPublisher>(
        EventPublisher::Parts{.book = book_.get(), .catalog = catalog_.get(), .clock = &clock_});
  }
  PipelineRecord Add(const std::string& name, const std::string& event_log) {
    PipelineRecord record{.id = RandomUuid(),
                          .name = name,
                          .spec = SpecWith(event_log),
                          .parameters = "{}",
                          .creator = "admin"};
    EXPECT_TRUE(book_->Add(record, false).ok());
    return record;
  }
  void Say(const PipelineRecord& pipeline, int times = 1) {
    EventLog log(book_.get(), pipeline, "u");
    for (int i = 0; i < times; ++i) EXPECT_TRUE(log.Take({"warning", {{"reason", "x"}}}).ok());
  }
  void WaitAndStep() {
    clock_.Advance(limits::kPublishAgain);
    publisher_->Step();
    // What has come is seen now, and waits.
    clock_.Advance(limits::kEventsWait);
    publisher_->Step();
  }
  /// What the table holds; -1: there is none.
  int64_t Rows(const std::string& table) {
    auto entry = catalog_->Get(Kind::kTable, {"main", "ops", table});
    if (!entry.ok()) return -1;
    auto state = delta::Table(*store::OpenLocalStore(entry->folder())).Latest(nullptr);
    int64_t rows = 0;
    for (const auto& [path, file] : (*state)->files) rows += delta::RowsOf(file.stats_json);
    return rows;
  }
  std::vector<EventRecord> EventsOf(const PipelineRecord& pipeline) {
    return *book_->Events(pipeline.id, {.oldest_first = true, .rows = 10'000});
  }

  const std::string folder_ = testing::TempDir() + "event_publisher_" + RandomHex(6);
  fakes::FakeClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<PipelineBook> book_;
  std::unique_ptr<catalog::Catalog> catalog_;
  std::unique_ptr<EventPublisher> publisher_;
};

TEST_F(EventPublisherTest, PublishesWhatIsSaidOfThosePipelinesThatSayWhere) {
  auto loud = Add("loud", R"({"name":"Log"})"), quiet = Add("quiet", "null");
  Say(quiet, 3);
  Say(loud, 2);
  publisher_->Step();
  EXPECT_EQ(Rows("log"), 2);
  auto table = *catalog_->Get(Kind::kTable, {"main", "ops", "log"});
  EXPECT_EQ(table.name(), "Log");
  EXPECT_EQ(table.fact("pipeline_id"), loud.id);
  EXPECT_EQ(table.fact("table_type"), "MANAGED");
  EXPECT_EQ(table.owner, "admin");
  EXPECT_EQ(table.folder(), folder_ + "/main/ops/Log");
  EXPECT_TRUE(IsEventLog(table));
}

TEST_F(EventPublisherTest, EventsWaitForMoreUnlessTheirUpdateHasEnded) {
  auto pipeline = Add("p", R"({"name":"log"})");
  Say(pipeline);
  publisher_->Step();
  Say(pipeline);
  publisher_->Step();
  EXPECT_EQ(Rows("log"), 1);
  publisher_->Hurry(pipeline.id);
  publisher_->Step();
  EXPECT_EQ(Rows("log"), 2);
  Say(pipeline);
  publisher_->Step();
  EXPECT_EQ(Rows("log"), 2);
  clock_.Advance(limits::kEventsWait);
  publisher_->Step();
  EXPECT_EQ(Rows("log"), 3);
}

TEST_F(EventPublisherTest, TheNextServerGoesOn) {
  auto pipeline = Add("p", R"({"name":"log"})");
  Say(pipeline, 3);
  publisher_->Step();
  Say(pipeline, 2);
  Restart();
  publisher_->Step();
  EXPECT_EQ(Rows("log"), 5);
}

TEST_F(EventPublisherTest, ManyEventsAreSeveralCommits) {
  auto pipeline = Add("p", R"({"name":"log"})");
  auto filled = database_->Execute(
      "INSERT INTO events (id, pipeline, update_id, at, level, type, message, details, error, "
      "origin) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
      "SELECT i, ?, '', '2026-01-01T00:00:00.000Z', 'INFO', 't', 'm', '', '', '{}' FROM n",
      {limits::kEventsPerCommit * 2 + 1, pipeline.id});
  ASSERT_TRUE(filled.ok()) << filled.status().ToString();
  publisher_->Step();
  EXPECT_EQ(Rows("log"), limits::kEventsPerCommit * 2 + 1);
  auto entry = *catalog_->Get(Kind::kTable, {"main", "ops", "log"});
  EXPECT_EQ((*delta::Table(*store::OpenLocalStore(entry.folder())).Latest(nullptr))->version, 3);
}

TEST_F(EventPublisherTest, AnEditMovesOnAndLeavesTheFormerTable) {
  auto pipeline = Add("p", R"({"name":"one"})");
  Say(pipeline, 2);
  publisher_->Step();
  pipeline.spec = SpecWith(R"({"name":"two"})");
  ASSERT_TRUE(book_->Edit(pipeline, false, 0).ok());
  Say(pipeline);
  publisher_->Step();
  EXPECT_EQ(Rows("one"), 2);
  EXPECT_EQ(Rows("two"), 3) << "the new one has all that is kept";
  pipeline.spec = SpecWith(R"({"name":"one"})");
  ASSERT_TRUE(book_->Edit(pipeline, false, 0).ok());
  publisher_->Step();
  EXPECT_EQ(Rows("one"), 3);
  pipeline.spec = SpecWith("null");
  ASSERT_TRUE(book_->Edit(pipeline, false, 0).ok());
  Say(pipeline);
  WaitAndStep();
  EXPECT_EQ(Rows("one"), 3);
  EXPECT_EQ(catalog_->TablesOf(pipeline.id)->size(), 2U) << "they go with the pipeline";
}

TEST_F(EventPublisherTest, WhatKeepsItFromPublishingIsToldOnceAndTriedAgain) {
  auto pipeline = Add("p", R"({"name":"log"})");
  Say(pipeline);
  ASSERT_TRUE(MakeSchema(*catalog_, {"main", "ops"}, "admin").ok());
  catalog::Securable other{.kind = Kind::kTable, .path = {"main", "ops", "LOG"}};
  ASSERT_TRUE(catalog_->Create(other, {}, "admin").ok());
  publisher_->Step();
  WaitAndStep();
  WaitAndStep();
  auto events = EventsOf(pipeline);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].level, "WARN");
  EXPECT_THAT(events[1].message, HasSubstr("Table 'main.ops.LOG' already exists."));
  EXPECT_THAT(events[1].message, HasSubstr("event_log.name"));
  ASSERT_TRUE(catalog_->Drop(Kind::kTable, other.path, false).ok());
  WaitAndStep();
  EXPECT_EQ(Rows("log"), 2);
}

TEST_F(EventPublisherTest, AnEntryThatWentWithItsSchemaComesBackWithTheSameTable) {
  auto pipeline = Add("p", R"({"name":"log"})");
  Say(pipeline);
  publisher_->Step();
  ASSERT_TRUE(catalog_->Drop(Kind::kSchema, {"main", "ops"}, true).ok());
  EXPECT_EQ(Rows("log"), -1);
  WaitAndStep();
  EXPECT_EQ(Rows("log"), -1) << "nothing happened that could be told";
  Say(pipeline);
  WaitAndStep();
  EXPECT_EQ(Rows("log"), 2);
}

TEST_F(EventPublisherTest, ATableThatWasTakenAwayIsBegunAnew) {
  auto pipeline = Add("one", R"({"name":"events"})");
  Say(pipeline, 3);
  WaitAndStep();
  ASSERT_EQ(Rows("events"), 3);
  // A deletion that took it, and then failed.
  auto entry = *catalog_->Get(Kind::kTable, {"main", "ops", "events"});
  ASSERT_TRUE(catalog_->Drop(Kind::kTable, entry.path, true).ok());
  std::filesystem::remove_all(entry.folder());
  Say(pipeline);
  WaitAndStep();
  EXPECT_EQ(Rows("events"), 4);
}

TEST_F(EventPublisherTest, AFolderOfAnothersIsLeftAloneAndItsNameFree) {
  std::filesystem::create_directories(folder_ + "/main/ops/log");
  std::ofstream(folder_ + "/main/ops/log/part-0.parquet") << "bytes";
  auto pipeline = Add("p", R"({"name":"log"})");
  Say(pipeline);
  publisher_->Step();
  EXPECT_EQ(Rows("log"), -1);
  EXPECT_THAT(EventsOf(pipeline).back().message, HasSubstr("TABLE_FOREIGN"));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/main/ops/log/part-0.parquet"));
}

TEST_F(EventPublisherTest, NothingIsPublishedOfAPipelineThatGoesButItsRest) {
  auto pipeline = Add("p", R"({"name":"log"})");
  Say(pipeline);
  publisher_->Step();
  ASSERT_TRUE(book_->Close(pipeline.id));
  Say(pipeline);
  WaitAndStep();
  EXPECT_EQ(Rows("log"), 1);
  ASSERT_TRUE(publisher_->Leave(pipeline, false).ok());
  EXPECT_EQ(Rows("log"), 1);
  ASSERT_TRUE(publisher_->Leave(pipeline, true).ok());
  EXPECT_EQ(Rows("log"), 2);
  book_->Reopen(pipeline.id);
  Say(pipeline);
  WaitAndStep();
  EXPECT_EQ(Rows("log"), 3) << "it was not deleted after all";
  ASSERT_TRUE(book_->Remove(pipeline.id).ok());
  WaitAndStep();
}

TEST_F(EventPublisherTest, ADatabaseFromABackupGivesNoNumberAgain) {
  auto pipeline = Add("p", R"({"name":"log"})");
  Say(pipeline, 5);
  publisher_->Step();
  ASSERT_TRUE(database_->Execute("DELETE FROM events WHERE number > 2").ok());
  ASSERT_TRUE(database_->Execute("UPDATE sqlite_sequence SET seq = 2 WHERE name = 'events'").ok());
  Restart();
  publisher_->Step();
  Say(pipeline);
  EXPECT_EQ(EventsOf(pipeline).back().number, 6);
  WaitAndStep();
  EXPECT_EQ(Rows("log"), 6);
}

TEST_F(EventPublisherTest, ItsThreadEndsWhenItIsTold) {
  auto pipeline = Add("p", R"({"name":"log"})");
  Say(pipeline);
  publisher_->Start();
  publisher_->Hurry(pipeline.id);
  publisher_->Stop();
  publisher_->Stop();
}

}  // namespace
}  // namespace freshet::pipeline
