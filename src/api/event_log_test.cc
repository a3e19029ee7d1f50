// SPDX-License-Identifier: Apache-2.0
// A pipeline's `event_log`, as it is authored, seen and deleted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "api/service_fixture_test.h"
#include "pipeline/event_target.h"

namespace freshet::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kPipelines[] = "/api/2.0/pipelines";
const std::string kTables = "/api/2.1/unity-catalog/tables/";

class EventLogTest : public testing::Test, protected ServiceFixture {
 protected:
  EventLogTest() { MakeMainAndShop(); }
  static std::string One(const std::string& id) { return std::string(kPipelines) + "/" + id; }
  static Json Pipeline(const std::string& name, const Json& event_log) {
    Json table{{"source_catalog", "shop"},      {"source_schema", "public"},
               {"source_table", "orders"},      {"destination_catalog", "main"},
               {"destination_schema", "sales"}, {"destination_table", "sold"}};
    return {{"name", name},
            {"catalog", "main"},
            {"schema", "Ops"},
            {"event_log", event_log},
            {"ingestion_definition",
             {{"connection_name", "shop"},
              {"connector_type", "CDC"},
              {"objects", Json::array({{{"table", table}}})}}}};
  }
  std::string Create(const Json& body) const { return Post(kPipelines, body)["pipeline_id"]; }
  std::string Refused(const Json& body, int status) const {
    return Post(kPipelines, body, status)["message"];
  }
};

TEST_F(EventLogTest, IsATableFromTheBeginning) {
  auto pipeline = Create(Pipeline("p", {{"name", "Log"}}));
  auto spec = Get(One(pipeline))["spec"];
  EXPECT_EQ(spec["event_log"], Json({{"name", "Log"}, {"catalog", "main"}, {"schema", "ops"}}));
  EXPECT_EQ(spec["schema"], "Ops");
  auto table = Get(kTables + "main.ops.log");
  EXPECT_EQ(table["name"], "Log");
  EXPECT_EQ(table["table_type"], "MANAGED");
  EXPECT_EQ(table["pipeline_id"], pipeline);
  EXPECT_THAT(std::string(table["storage_location"]), HasSubstr("/ops/Log"));
  std::vector<std::string> columns;
  for (const auto& column : table["columns"]) columns.push_back(column["name"]);
  EXPECT_THAT(columns, ElementsAre("id", "sequence", "origin", "timestamp", "message", "level",
                                   "maturity_level", "error", "details", "event_type"));
  EXPECT_EQ(table["columns"][2]["type_name"], "STRUCT");
}

TEST_F(EventLogTest, HasANameOfItsOwnUnlessOneIsSaid) {
  auto pipeline = Create(Pipeline("p", Json::object()));
  auto name = "event_log_" + pipeline;
  std::ranges::replace(name, '-', '_');
  EXPECT_EQ(Get(kTables + "main.ops." + name)["pipeline_id"], pipeline);
  EXPECT_FALSE(Get(One(pipeline))["spec"]["event_log"].contains("name"));
}

TEST_F(EventLogTest, OfAGatewayIsOneToo) {
  Json body{{"name", "gateway"},
            {"event_log", {{"catalog", "main"}, {"schema", "ops"}, {"name", "log"}}},
            {"gateway_definition",
             {{"connection_name", "shop"},
              {"gateway_storage_catalog", "main"},
              {"gateway_storage_schema", "staging"},
              {"gateway_storage_name", "v"}}}};
  auto gateway = Create(body);
  EXPECT_EQ(Get(kTables + "main.ops.log")["pipeline_id"], gateway);
  Ask("DELETE", One(gateway), {}, 200);
  Get(kTables + "main.ops.log", 404);
  // What was made before it is refused goes again.
  Create(Pipeline("p", {{"name", "taken"}}));
  body["event_log"]["name"] = "taken";
  Post(kPipelines, body, 409);
  Get("/api/2.1/unity-catalog/volumes/main.staging.v", 404);
}

TEST_F(EventLogTest, WhatCannotBeIsRefusedAndLeavesNothing) {
  EXPECT_THAT(Refused(Pipeline("p", {{"nam", "x"}}), 400), HasSubstr("event_log.nam"));
  EXPECT_THAT(Refused(Pipeline("p", "x"), 400), HasSubstr("event_log"));
  EXPECT_THAT(Refused(Pipeline("p", {{"name", "a/b"}}), 400), HasSubstr("a/b"));
  EXPECT_THAT(Refused(Pipeline("p", {{"catalog", "none"}}), 404), HasSubstr("'none'"));
  EXPECT_THAT(Refused(Pipeline("p", {{"schema", "Sales"}, {"name", "SOLD"}}), 400),
              HasSubstr("event_log.name is a table that the pipeline brings there"));
  auto placeless = Pipeline("p", {{"name", "x"}});
  placeless.erase("schema");
  EXPECT_THAT(Refused(placeless, 400), HasSubstr("event_log.schema is missing"));
  auto first = Create(Pipeline("first", {{"name", "log"}}));
  EXPECT_EQ(Refused(Pipeline("second", {{"name", "LOG"}}), 409),
            "Table 'main.ops.log' already exists.");
  EXPECT_EQ(Get(kPipelines)["statuses"].size(), 1U);
  EXPECT_EQ(Get(kTables + "main.ops.log")["pipeline_id"], first);
  auto dry = Pipeline("third", {{"name", "log"}});
  dry["dry_run"] = true;
  Post(kPipelines, dry, 409);
  dry["event_log"]["name"] = "other";
  Post(kPipelines, dry);
  Get(kTables + "main.ops.other", 404);
}

TEST_F(EventLogTest, AnEditMakesTheNextTable) {
  auto pipeline = Create(Pipeline("p", {{"name", "one"}}));
  Create(Pipeline("q", {{"name", "taken"}}));
  Ask("PUT", One(pipeline), Pipeline("p", {{"name", "taken"}}), 409);
  EXPECT_EQ(Get(One(pipeline))["spec"]["event_log"]["name"], "one");
  Ask("PUT", One(pipeline), Pipeline("p", {{"name", "two"}}), 200);
  EXPECT_EQ(Get(kTables + "main.ops.two")["pipeline_id"], pipeline);
  EXPECT_EQ(Get(kTables + "main.ops.one")["pipeline_id"], pipeline);
  Ask("PUT", One(pipeline), Pipeline("p", nullptr), 200);
  Ask("DELETE", One(pipeline), {}, 200);
  Get(kTables + "main.ops.one", 404);
  Get(kTables + "main.ops.two", 404);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/tables/main/ops/one"));
}

TEST_F(EventLogTest, StaysWithTheTablesWhereTheyStay) {
  auto pipeline = Create(Pipeline("p", {{"name", "log"}}));
  auto place = std::string(Get(kTables + "main.ops.log")["storage_location"]);
  Ask("DELETE", One(pipeline) + "?cascade=false", {}, 200);
  Get(kTables + "main.ops.log");
  EXPECT_TRUE(std::filesystem::exists(place.substr(catalog::kFileScheme.size()) + "/_delta_log"));
}

TEST_F(EventLogTest, IsNoTableThatCouldBeReadAgain) {
  auto body = Pipeline("p", {{"schema", "sales"}, {"name", "log"}});
  auto& object = body["ingestion_definition"]["objects"][0];
  object = {{"schema", object["table"]}};
  for (const auto* field : {"source_table", "destination_table"}) object["schema"].erase(field);
  auto pipeline = Create(body);
  auto refused = Post(One(pipeline) + "/updates",
                      {{"full_refresh_selection", Json::array({"sales.log"})}}, 400);
  EXPECT_THAT(std::string(refused["message"]), HasSubstr("no table of the pipeline is sales.log"));
}

TEST_F(EventLogTest, TakesTheRightToMakeATableThere) {
  auto writer = principals_->Create({.name = "writer"});
  auto token = TokenOf(writer->id);
  Post("/api/2.1/unity-catalog/schemas", {{"catalog_name", "main"}, {"name", "sales"}});
  Post("/api/2.1/unity-catalog/schemas", {{"catalog_name", "main"}, {"name", "ops"}});
  auto grant = [&](catalog::Kind kind, const catalog::Path& path,
                   const std::vector<std::string>& privileges) {
    ASSERT_TRUE(grants_->Apply(catalog_->Get(kind, path)->id, {{"writer", privileges, {}}}).ok());
  };
  grant(catalog::Kind::kConnection, {"shop"}, {"USE_CONNECTION"});
  grant(catalog::Kind::kCatalog, {"main"}, {"USE_CATALOG", "USE_SCHEMA"});
  grant(catalog::Kind::kSchema, {"main", "sales"}, {"CREATE_TABLE"});
  auto refused = SendAs(token, "POST", kPipelines, Pipeline("p", {{"name", "log"}}));
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("CREATE TABLE on Schema 'main.ops'"));
  EXPECT_EQ(SendAs(token, "POST", kPipelines, Pipeline("p", nullptr)).status, 200);
  grant(catalog::Kind::kSchema, {"main", "ops"}, {"CREATE_TABLE"});
  EXPECT_EQ(SendAs(token, "POST", kPipelines, Pipeline("q", {{"name", "log"}})).status, 200);
  EXPECT_EQ(SendAs(token, "GET", kTables + "main.ops.log").status, 200) << "it is its owner's";
  auto stranger = TokenOf(principals_->Create({.name = "stranger"})->id);
  EXPECT_EQ(SendAs(stranger, "GET", kTables + "main.ops.log").status, 403);
}

}  // namespace
}  // namespace freshet::api
