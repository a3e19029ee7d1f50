// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pipeline_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>

#include "base/json.h"
#include "base/random.h"
#include "base/server_limits.h"
#include "pipeline/definition.h"
#include "pipeline/event_line.h"
#include "pipeline/event_log.h"
#include "pipeline/lineage.h"
#include "pipeline/update_plan.h"

namespace freshet::pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PipelineBookTest : public testing::Test {
 protected:
  PipelineBookTest() {
    std::filesystem::create_directories(folder_);
    Open();
  }
  ~PipelineBookTest() override { std::filesystem::remove_all(folder_); }

  void Open() {
    book_.reset();
    database_.reset();
    std::array<store::Migrations, 1> migrations{kMigrations};
    database_ = std::move(store::Database::Open(folder_ + "/freshet.db", migrations)).value();
    book_ = std::make_unique<PipelineBook>(database_.get(), &clock_);
  }
  PipelineRecord Add(const std::string& name, const std::string& spec = "{}") {
    PipelineRecord record{.id = RandomUuid(), .name = name, .spec = spec, .parameters = "{}"};
    auto added = book_->Add(record, false);
    EXPECT_TRUE(added.ok()) << added.status().ToString();
    return *added;
  }
  bool Enter(const PipelineRecord& record, const UpdateRecord& update, UpdateState state) {
    EventLog log(book_.get(), record, update.id);
    auto entered = book_->Enter(update, state, log.Progress(state, Status::Ok()));
    EXPECT_TRUE(entered.ok());
    return *entered;
  }
  std::vector<std::string> Messages(const std::string& pipeline, const EventRequest& request) {
    std::vector<std::string> messages;
    auto events = book_->Events(pipeline, request);
    for (const auto& event : *events) messages.push_back(event.message);
    return messages;
  }

  const std::string folder_ = testing::TempDir() + "pipeline_book_" + RandomHex(6);
  SystemClock clock_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<PipelineBook> book_;
};

TEST_F(PipelineBookTest, OneUpdateOfAPipelineIsUnderWay) {
  auto a = Add("a"), b = Add("b");
  auto first = book_->Begin(a.id, "API_CALL", "{}");
  ASSERT_TRUE(first.ok());
  auto second = book_->Begin(a.id, "API_CALL", "{}");
  EXPECT_TRUE(second.status().Is(ErrorClass::DESTINATION_BUSY)) << second.status().ToString();
  EXPECT_TRUE(book_->Begin(b.id, "API_CALL", "{}").ok());
  EXPECT_TRUE(book_->Begin("none", "API_CALL", "{}").status().Is(ErrorClass::NOT_FOUND));
  auto c = Add("c");
  EXPECT_TRUE(book_->Close(c.id));
  EXPECT_FALSE(book_->Close(c.id));
  EXPECT_TRUE(book_->Begin(c.id, "API_CALL", "{}").status().Is(ErrorClass::DESTINATION_BUSY));
  book_->Reopen(c.id);
  EXPECT_TRUE(book_->Begin(c.id, "API_CALL", "{}").ok());
  EXPECT_TRUE(Enter(a, *first, UpdateState::kRunning));
  EXPECT_TRUE(Enter(a, *first, UpdateState::kFailed));
  EXPECT_TRUE(book_->Begin(a.id, "API_CALL", "{}").ok());
  EXPECT_EQ(book_->Updates(a.id, 10, 0)->size(), 2U);
  EXPECT_EQ(book_->Updates(a.id, 10, 0)->at(1).state, UpdateState::kFailed);
}

TEST_F(PipelineBookTest, WhatIsFinalOrStoppingStaysSo) {
  auto a = Add("a");
  auto update = *book_->Begin(a.id, "API_CALL", "{}");
  EXPECT_TRUE(Enter(a, update, UpdateState::kStopping));
  EXPECT_FALSE(Enter(a, update, UpdateState::kRunning));
  EXPECT_TRUE(Enter(a, update, UpdateState::kCanceled));
  EXPECT_FALSE(Enter(a, update, UpdateState::kCompleted));
  EXPECT_EQ(book_->GetUpdate(a.id, update.id)->state, UpdateState::kCanceled);
  EXPECT_EQ(Messages(a.id, {.oldest_first = true, .rows = 10}).size(), 2U);
}

TEST_F(PipelineBookTest, TheNextServerFindsWhatIsUnderWay) {
  auto a = Add("a"), b = Add("b");
  auto update = *book_->Begin(a.id, "API_CALL", R"({"full_refresh":true})");
  EXPECT_TRUE(Enter(b, *book_->Begin(b.id, "API_CALL", "{}"), UpdateState::kCompleted));
  Open();
  auto unfinished = book_->Unfinished();
  ASSERT_EQ(unfinished->size(), 1U);
  EXPECT_EQ(unfinished->at(0).id, update.id);
  EXPECT_EQ(unfinished->at(0).request, R"({"full_refresh":true})");
}

TEST_F(PipelineBookTest, NamesAreTakenOnceUnlessToldOtherwise) {
  auto a = Add("a"), b = Add("b");
  PipelineRecord again{.id = RandomUuid(), .name = "a"};
  EXPECT_TRUE(book_->Add(again, false).status().Is(ErrorClass::ALREADY_EXISTS));
  EXPECT_TRUE(book_->Add(again, true).ok());
  b.name = "a";
  EXPECT_TRUE(book_->Edit(b, false, 0).Is(ErrorClass::ALREADY_EXISTS));
  b.name = "c";
  EXPECT_TRUE(book_->Edit(b, false, b.modified_at).ok());
  EXPECT_FALSE(book_->Edit(b, false, b.modified_at).ok()) << "it was modified since";
  EXPECT_EQ(book_->List({.like = "%c%", .rows = 5})->size(), 1U);
  EXPECT_TRUE(book_->Remove(b.id).ok());
  EXPECT_TRUE(book_->Remove(b.id).Is(ErrorClass::NOT_FOUND));
}

TEST_F(PipelineBookTest, EventsComeByConditionAndInPages) {
  auto a = Add("a");
  auto update = *book_->Begin(a.id, "API_CALL", "{}");
  for (auto state : {UpdateState::kInitializing, UpdateState::kRunning, UpdateState::kCompleted})
    Enter(a, update, state);
  EventRequest request{.rows = 2};
  auto page = *book_->Events(a.id, request);
  ASSERT_EQ(page.size(), 2U);
  EXPECT_THAT(page[0].message, HasSubstr("is COMPLETED."));
  EXPECT_EQ(page[0].at.size(), std::string("2026-01-31T00:00:00.000Z").size());
  request.after = page[1].number;
  EXPECT_EQ(book_->Events(a.id, request)->size(), 1U);
  request = {
      .conditions = {{"update_id", "=", {update.id}}, {"level", "in", {"INFO", "x' OR 1=1"}}},
      .rows = 9};
  EXPECT_EQ(book_->Events(a.id, request)->size(), 3U);
  request.conditions[1].values = {"x' OR '1'='1"};
  EXPECT_EQ(book_->Events(a.id, request)->size(), 0U);
  request.conditions = {{"timestamp", ">", {page[0].at}}};
  EXPECT_EQ(book_->Events(a.id, request)->size(), 0U);
}

TEST_F(PipelineBookTest, TheOldestOfTooManyEventsGo) {
  auto a = Add("a"), b = Add("b");
  ASSERT_TRUE(book_->AddEvent({.pipeline = b.id, .message = "of another"}).ok());
  auto filled = database_->Execute(
      "INSERT INTO events (id, pipeline, update_id, at, level, type, message, details, error, "
      "origin) "
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
      "SELECT i, ?, '', '', '', '', 'old', '', '', '' FROM n",
      {limits::kEventsMax + limits::kEventsPerLook - 2, a.id});
  ASSERT_TRUE(filled.ok()) << filled.status().ToString();
  ASSERT_TRUE(book_->AddEvent({.pipeline = a.id, .message = "new"}).ok());
  auto rows = database_->Query(
      "SELECT count(*), max(message = 'new') FROM events WHERE pipeline = ?", {a.id});
  EXPECT_EQ(rows->at(0).number(0), limits::kEventsMax);
  EXPECT_EQ(rows->at(0).number(1), 1);
  EXPECT_EQ(Messages(b.id, {.rows = 5}).size(), 1U);
}

TEST_F(PipelineBookTest, WhatTheEngineSaysBecomesPublishedEvents) {
  auto a = Add("a");
  EventLog log(book_.get(), a, "u");
  ASSERT_TRUE(
      log.Take({"table_found", {{"table", "public.t"}, {"flow", "f"}, {"folder", "x/t"}}}).ok());
  ASSERT_TRUE(log.Take({"snapshot_progress",
                        {{"table", "public.t"},
                         {"rows", int64_t{300}},
                         {"rows_per_second", 120.5},
                         {"chunks", int64_t{4}},
                         {"chunks_left", int64_t{1}},
                         {"seconds_left", 2.5}}})
                  .ok());
  ASSERT_TRUE(log.Take({"table_committed",
                        {{"table", "public.t"},
                         {"inserted", int64_t{2}},
                         {"updated", int64_t{3}},
                         {"deleted", int64_t{1}}}})
                  .ok());
  ASSERT_TRUE(log.Take(WithStatus({"table_failed", {{"table", "public.bad"}}},
                                  Error(ErrorClass::KEY_CHANGED, "the key changed")))
                  .ok());
  ASSERT_TRUE(log.Finish(true).ok());
  auto events = *book_->Events(a.id, {.oldest_first = true, .rows = 20});
  auto details = [&](size_t i) { return ParseJsonOrThrow<nlohmann::json>(events.at(i).details); };
  ASSERT_EQ(events.size(), 7U);
  EXPECT_EQ(details(0)["flow_definition"]["output_dataset"], "public.t");
  EXPECT_EQ(details(3)["operation_progress"]["progress_percent"], 75.0);
  EXPECT_EQ(details(3)["operation_progress"]["estimated_completion_ms"], 2500);
  EXPECT_EQ(details(3)["operation_progress"]["cdc_snapshot"]["num_rows"], 300);
  EXPECT_EQ(details(3)["operation_progress"]["cdc_snapshot"]["rows_per_second"], 120.5);
  EXPECT_EQ(details(4)["flow_progress"]["metrics"]["num_upserted_rows"], 5);
  EXPECT_EQ(events[5].level, "ERROR");
  EXPECT_THAT(events[5].error, HasSubstr("KEY_CHANGED"));
  EXPECT_EQ(details(6)["flow_progress"]["status"], "COMPLETED");
}

TEST_F(PipelineBookTest, WhatAGatewayCapturedIsToldOfEachTable) {
  auto gateway = Add("g", R"({"gateway_definition": {}})");
  EventLog log(book_.get(), gateway, "u");
  ASSERT_TRUE(log.Take({"changes_staged",
                        {{"table", "d.public.t"},
                         {"upserted", int64_t{3}},
                         {"deleted", int64_t{2}},
                         {"bytes", int64_t{70}},
                         {"committed_at", int64_t{1'764'511'200'000'000}},
                         {"lag_ms", int64_t{9}}}})
                  .ok());
  auto events = *book_->Events(gateway.id, {.oldest_first = true, .rows = 20});
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].level, "METRICS");
  EXPECT_THAT(events[0].origin, HasSubstr("d.public.t_cdc_flow"));
  auto details = ParseJsonOrThrow<nlohmann::json>(events[0].details)["flow_progress"];
  EXPECT_EQ(details["status"], "RUNNING");
  EXPECT_EQ(details["metrics"]["num_upserted_rows"], 3);
  EXPECT_EQ(details["metrics"]["num_deleted_rows"], 2);
  EXPECT_EQ(details["metrics"]["num_output_bytes"], 70);
  EXPECT_EQ(details["streaming_metrics"]["discovery_latency_ms"], 9);
  EXPECT_EQ(details["streaming_metrics"]["event_time"]["max"], "2025-11-30T14:00:00.000000Z");
}

TEST(Definition, NamesWhatIsMissing) {
  auto json = ParseJsonOrThrow<nlohmann::json>(
      R"({"connection_name": "shop", "connector_type": "CDC", "objects": [
    {"schema": {"source_catalog": "db", "source_schema": "public", "destination_catalog": "Main",
                "destination_schema": "Sales"}},
    {"table": {"source_catalog": "db", "source_schema": "hr", "source_table": "people",
               "destination_catalog": "main", "destination_schema": "odd.name", "destination_table": "P"}}]})");
  auto definition = ReadDefinition(JsonText(json));
  ASSERT_TRUE(definition.ok()) << definition.status().ToString();
  EXPECT_EQ(definition->database, "db");
  EXPECT_FALSE(definition->spec.query_based);
  EXPECT_EQ(definition->destinations.size(), 2U);
  EXPECT_EQ(definition->spec.DestinationOf({"public", "t"}).schema, "main.sales");
  EXPECT_THAT(*TableAt(*definition, "main.sales/a%2Fb"), ElementsAre("main", "sales", "a/b"));
  EXPECT_THAT(*TableAt(*definition, "main.`odd.name`/P"), ElementsAre("main", "odd.name", "P"));
  EXPECT_FALSE(TableAt(*definition, "main.none/t").has_value());
  auto refused = [&](auto change) {
    auto changed = json;
    change(changed);
    return ReadDefinition(JsonText(changed)).status().ToString();
  };
  EXPECT_THAT(refused([](auto& j) { j.erase("connection_name"); }),
              HasSubstr("connection_name is missing"));
  EXPECT_THAT(refused([](auto& j) { j.erase("objects"); }), HasSubstr("objects is missing"));
  EXPECT_THAT(refused([](auto& j) { j["objects"][1]["table"]["source_catalog"] = "x"; }),
              HasSubstr("objects[1].table.source_catalog is x"));
  EXPECT_THAT(refused([](auto& j) { j["objects"][0]["schema"].erase("destination_catalog"); }),
              HasSubstr("objects[0].schema.destination_catalog is missing"));
  EXPECT_THAT(refused([](auto& j) { j["objects"][0] = "x"; }), HasSubstr("INVALID_ARGUMENT"));
  json.erase("connector_type");
  EXPECT_TRUE(ReadDefinition(JsonText(json))->spec.query_based);
}

TEST(UpdateRequest, TakesWhatIsBuiltAndRefusesTheRestByName) {
  auto request = ReadUpdateRequest(
      R"({"full_refresh_selection": ["a"], "refresh_selection": ["b", "c.d"], "cause": "X"})");
  ASSERT_TRUE(request.ok()) << request.status().ToString();
  EXPECT_THAT(request->full_refresh_selection, ElementsAre("a"));
  EXPECT_THAT(request->refresh_selection, ElementsAre("b", "c.d"));
  EXPECT_FALSE(ReadUpdateRequest(R"({"refresh_selection": []})")->selects());
  EXPECT_TRUE(ReadUpdateRequest(R"({"full_refresh": true})")->full_refresh);
  EXPECT_TRUE(ReadUpdateRequest(R"({"rewind_spec": {"dry_run": true}})")
                  .status()
                  .Is(ErrorClass::UNSUPPORTED_FIELD));
  for (const auto* text : {R"({"full_refresh": 1})", R"({"full_refresh_selection": "a"})",
                           R"({"refresh_selection": [1]})", R"({"x": 1})", "[]"})
    EXPECT_TRUE(ReadUpdateRequest(text).status().Is(ErrorClass::INVALID_ARGUMENT)) << text;
}

TEST(UpdateRequest, SelectsTablesAsTheyAreCalledAtTheSource) {
  auto definition = ReadDefinition(R"({"connection_name": "c", "connector_type": "CDC", "objects": [
      {"schema": {"source_catalog": "x", "source_schema": "public", "destination_catalog": "main",
                  "destination_schema": "d"}},
      {"table": {"source_catalog": "x", "source_schema": "public", "source_table": "Odd.Name",
                 "destination_catalog": "main", "destination_schema": "d",
                 "destination_table": "odd"}}]})");
  ASSERT_TRUE(definition.ok()) << definition.status().ToString();
  catalog::Securable plain{.kind = catalog::Kind::kTable, .path = {"main", "d", "plain"}};
  catalog::Securable renamed{.kind = catalog::Kind::kTable, .path = {"main", "d", "orders"}};
  renamed.facts =
      FactsOf(Lineage{.connection = "c", .database = "x", .source = {"public", "Orders 2"}});
  catalog::Securable foreign{.kind = catalog::Kind::kTable, .path = {"main", "d", "foreign"}};
  foreign.facts =
      FactsOf(Lineage{.connection = "c", .database = "x", .source = {"former", "foreign"}});
  UpdateRequest request;
  request.refresh_selection = {"MAIN.D.Orders", "odd", "plain"};
  request.full_refresh_selection = {"d.plain"};
  auto selection = SelectionOf(*definition, {plain, renamed, foreign}, request);
  ASSERT_TRUE(selection.ok()) << selection.status().ToString();
  EXPECT_THAT(selection->tables, ElementsAre(record::TableName{"public", "Odd.Name"},
                                             record::TableName{"public", "Orders 2"},
                                             record::TableName{"public", "plain"}));
  EXPECT_THAT(selection->again, ElementsAre(record::TableName{"public", "plain"}));
  request.full_refresh_selection = {"foreign"};
  auto refused = SelectionOf(*definition, {plain, renamed, foreign}, request).status();
  EXPECT_TRUE(refused.Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_THAT(refused.ToString(), HasSubstr("full_refresh_selection: no table"));
}

}  // namespace
}  // namespace freshet::pipeline
