// SPDX-License-Identifier: Apache-2.0
#include "pipeline/capture_plan.h"
#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

const GatewayDefinition kGateway{
    .connection_name = "shop", .storage = {"main", "staging"}, .volume = "v", .database = {}};

Json Schema(const std::string& schema, Json configuration = {}) {
  Json object{{"source_catalog", "shop"},
              {"source_schema", schema},
              {"destination_catalog", "main"},
              {"destination_schema", "sales"}};
  if (!configuration.empty()) object["table_configuration"] = configuration;
  return {{"schema", object}};
}

Json Table(const std::string& schema, const std::string& table, Json configuration = {}) {
  auto object = Schema(schema, std::move(configuration))["schema"];
  object["source_table"] = table;
  return {{"table", object}};
}

Follower Over(const std::string& name, std::vector<Json> objects, Json more = Json::object()) {
  more["ingestion_gateway_id"] = "g";
  more["objects"] = objects;
  auto definition = ReadDefinition(JsonText(more));
  EXPECT_TRUE(definition.ok()) << definition.status().ToString();
  return {{.id = name, .name = name, .spec = JsonText(more)}, *definition};
}

CapturePlan PlanOf(std::vector<Follower> followers) {
  auto plan = PlanCapture(kGateway, std::move(followers));
  EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  return plan.ok() ? *plan : CapturePlan();
}

std::string Refusal(std::vector<Follower> followers) {
  return PlanCapture(kGateway, std::move(followers)).status().ToString();
}

TEST(CapturePlan, WithoutPipelinesNothingIsSelected) {
  auto plan = PlanOf({});
  EXPECT_EQ(plan.database, "");
  EXPECT_FALSE(plan.spec.Selects({"public", "orders"}));
}

TEST(CapturePlan, TheUnionIsCaptured) {
  auto plan = PlanOf({Over("one", {Schema("public")}), Over("two", {Table("audit", "log")})});
  EXPECT_EQ(plan.database, "shop");
  EXPECT_TRUE(plan.spec.Selects({"public", "orders"}));
  EXPECT_TRUE(plan.spec.Selects({"audit", "log"}));
  EXPECT_FALSE(plan.spec.Selects({"audit", "other"}));
  EXPECT_TRUE(plan.spec.Names({"audit", "log"}));
  EXPECT_FALSE(plan.spec.Names({"public", "orders"}));
}

TEST(CapturePlan, WhatOneSaysOfAllItsTablesIsNotSaidOfOthers) {
  Json ignore{{"on_schema_change", "ignore"}}, without{{"exclude_columns", {"secret"}}};
  auto plan = PlanOf({Over("one", {Schema("public")}, {{"table_configuration", ignore}}),
                      Over("two", {Table("audit", "log", without)})});
  auto orders = RuleOf(plan.spec.table_rules, {"public", "orders"});
  auto log = RuleOf(plan.spec.table_rules, {"audit", "log"});
  EXPECT_EQ(orders.on_schema_change, capture::OnSchemaChange::kIgnore);
  EXPECT_TRUE(orders.exclude_columns.empty());
  EXPECT_FALSE(log.on_schema_change.has_value());
  EXPECT_THAT(log.exclude_columns, testing::ElementsAre("secret"));
}

TEST(CapturePlan, ATableOfTwoPipelinesIsCapturedOnceAndInOneWay) {
  Json without{{"exclude_columns", {"secret"}}};
  Json history{{"scd_type", "SCD_TYPE_2"}};
  // What is made of its rows is each one's own.
  PlanOf({Over("one", {Schema("public")}), Over("two", {Table("public", "orders", history)})});
  PlanOf({Over("one", {Table("public", "orders", without)}),
          Over("two", {Table("public", "orders", without)})});
  auto refused =
      Refusal({Over("one", {Schema("public")}), Over("two", {Table("public", "orders", without)})});
  EXPECT_THAT(refused, HasSubstr("public.orders"));
  EXPECT_THAT(refused, HasSubstr("'two'"));
  refused = Refusal({Over("one", {Schema("public", without)}), Over("two", {Schema("public")})});
  EXPECT_THAT(refused, HasSubstr("public.*"));
}

TEST(CapturePlan, OneGatewayHasOneDatabaseAndOneSlot) {
  auto other = Schema("public");
  other["schema"]["source_catalog"] = "warehouse";
  EXPECT_THAT(Refusal({Over("one", {Schema("public")}), Over("two", {other})}),
              HasSubstr("the gateway's database is shop"));
  auto named = kGateway;
  named.database = "warehouse";
  EXPECT_THAT(PlanCapture(named, {Over("one", {Schema("public")})}).status().ToString(),
              HasSubstr("the gateway's database is warehouse"));
  auto slot = [](const std::string& name) {
    Json config{{"slot_name", name}};
    Json catalog{{"source_catalog", "shop"}, {"postgres", {{"slot_config", config}}}};
    return Json{{"source_configurations", Json::array({{{"catalog", catalog}}})}};
  };
  auto one = Over("one", {Schema("public")}, slot("a"));
  EXPECT_EQ(PlanOf({one, Over("two", {Schema("audit")})}).spec.slot, "a");
  EXPECT_THAT(Refusal({one, Over("two", {Schema("audit")}, slot("b"))}),
              HasSubstr("the slot over this gateway is a, which the pipeline 'one'"));
}

TEST(CapturePlan, TheOldestProfileIsForAllOrNone) {
  Json classic{{"profile", "classic"}}, full{{"profile", "full"}};
  PlanOf({Over("one", {Schema("public")}, full), Over("two", {Schema("audit")})});
  EXPECT_EQ(PlanOf({Over("one", {Schema("public")}, classic)}).spec.profile, "classic");
  EXPECT_THAT(Refusal({Over("one", {Schema("public")}), Over("two", {Schema("audit")}, classic)}),
              HasSubstr("classic"));
}

TEST(GatewayDefinition, SaysWhereItStages) {
  auto read = ReadGateway(
      R"({"connection_name":"shop","gateway_storage_catalog":"Main","gateway_storage_schema":"S"})",
      "id");
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->storage, (DestinationSchema{"main", "s"}));
  EXPECT_EQ(read->volume, "__databricks_ingestion_gateway_staging_data-id");
  EXPECT_EQ(read->database, "");
  EXPECT_THAT(ReadGateway(R"({"connection_name":"shop"})", "id").status().ToString(),
              HasSubstr("gateway_storage_catalog is missing"));
  EXPECT_THAT(ReadGateway(R"({"conection_name":"shop"})", "id").status().ToString(),
              HasSubstr("conection_name is not a field"));
  EXPECT_THAT(ReadGateway(R"({"connection_parameters":{"catalog":"x"}})", "id").status().ToString(),
              HasSubstr("connection_parameters.catalog is not a field"));
}

TEST(GatewayDefinition, IsNotThereWhereItIsNull) {
  PipelineRecord pipeline;
  pipeline.spec = R"({"gateway_definition":null,"ingestion_definition":{}})";
  EXPECT_FALSE(IsGateway(pipeline));
  EXPECT_FALSE(GatewayOf(pipeline).ok());
}

TEST(Definition, IsOverAConnectionOrAGateway) {
  auto why = [](Json json) {
    json["objects"] = Json::array({Schema("public")});
    return ReadDefinition(JsonText(json)).status().ToString();
  };
  EXPECT_THAT(why({{"connection_name", "shop"}, {"ingestion_gateway_id", "g"}}),
              HasSubstr("both connection_name and ingestion_gateway_id"));
  EXPECT_THAT(why(Json::object()), HasSubstr("connection_name is missing"));
  EXPECT_THAT(why({{"ingestion_gateway_id", "g"}, {"connector_type", "QUERY_BASED"}}),
              HasSubstr("captures from the log"));
  EXPECT_THAT(why({{"ingestion_gateway_id", 1}}), HasSubstr("is not a text"));
}

}  // namespace
}  // namespace freshet::pipeline
