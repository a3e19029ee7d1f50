// SPDX-License-Identifier: Apache-2.0
// Gateways and the pipelines over them, as they are authored and deleted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "api/service_fixture_test.h"
#include "pipeline/destination.h"
#include "pipeline/gateway_place.h"
#include "pipeline/update_plan.h"

namespace freshet::api {
namespace {

using testing::HasSubstr;

constexpr char kPipelines[] = "/api/2.0/pipelines";

class GatewaysTest : public testing::Test, protected ServiceFixture {
 protected:
  GatewaysTest() { MakeMainAndShop(); }
  static std::string One(const std::string& id) { return std::string(kPipelines) + "/" + id; }
  static Json Gateway(const std::string& database = "") {
    Json definition{{"connection_name", "shop"},
                    {"gateway_storage_catalog", "main"},
                    {"gateway_storage_schema", "staging"},
                    {"gateway_storage_name", "v"}};
    if (!database.empty()) definition["connection_parameters"] = {{"source_catalog", database}};
    return {{"name", "gateway"}, {"gateway_definition", definition}};
  }
  static Json Over(const std::string& gateway, const std::string& name,
                   const std::string& database = "shop", const Json& rules = Json::object()) {
    Json table{{"source_catalog", database}, {"source_schema", "public"},
               {"source_table", "orders"},   {"destination_catalog", "main"},
               {"destination_schema", name}, {"table_configuration", rules}};
    return {{"name", name},
            {"ingestion_definition",
             {{"ingestion_gateway_id", gateway}, {"objects", Json::array({{{"table", table}}})}}}};
  }
  static Json Direct(const std::string& database) {
    auto pipeline = Over("", "direct", database);
    auto& definition = pipeline["ingestion_definition"];
    definition.erase("ingestion_gateway_id");
    definition["connection_name"] = "shop";
    definition["connector_type"] = "CDC";
    return pipeline;
  }
  std::string Create(const Json& body) const { return Post(kPipelines, body)["pipeline_id"]; }
  /// As after its first run.
  void SetBegun(const std::string& pipeline, const std::string& database) const {
    auto destination = pipeline::Destination::Make(pipeline::FolderOfPipeline(folder_, pipeline));
    ASSERT_TRUE(destination.ok()) << destination.status().ToString();
    pipeline::SourceRecord record{.connector = "postgres", .identity = "i", .staging_id = "s"};
    record.parameters = {{"dbname", database}};
    record.slot = "slot_1";
    record.publication = "publication_1";
    ASSERT_TRUE(destination->WriteSource(record).ok());
  }
};

TEST_F(GatewaysTest, AGatewayStaysWithTheDatabaseOfItsPipelines) {
  auto gateway = Create(Gateway());
  auto pipeline = Create(Over(gateway, "one"));
  auto refused = Ask("PUT", One(gateway), Gateway("elsewhere"), 400);
  EXPECT_THAT(
      std::string(refused["message"]),
      HasSubstr("connection_parameters.source_catalog is elsewhere, but the pipeline 'one'"));
  Ask("PUT", One(gateway), Gateway("shop"), 200);
  Ask("DELETE", One(pipeline), {}, 200);
  Ask("PUT", One(gateway), Gateway("elsewhere"), 200);
}

TEST_F(GatewaysTest, AGatewayStaysWithTheDatabaseThatItBegan) {
  auto gateway = Create(Gateway());
  SetBegun(gateway, "shop");
  auto refused = Ask("PUT", One(gateway), Gateway("elsewhere"), 400);
  EXPECT_THAT(std::string(refused["message"]),
              HasSubstr("source_catalog cannot be changed: it is shop"));
  Ask("PUT", One(gateway), Gateway("shop"), 200);
  Ask("PUT", One(gateway), Gateway(), 200);
}

TEST_F(GatewaysTest, APipelineStaysWithTheDatabaseThatItBegan) {
  auto pipeline = Create(Direct("shop"));
  Ask("PUT", One(pipeline), Direct("elsewhere"), 200);
  SetBegun(pipeline, "elsewhere");
  auto refused = Ask("PUT", One(pipeline), Direct("shop"), 400);
  EXPECT_THAT(std::string(refused["message"]), HasSubstr("cannot be changed: it is elsewhere"));
}

TEST_F(GatewaysTest, OfTwoPipelinesThatContradictEachOtherOneIsMade) {
  for (int round = 0; round < 10; ++round) {
    auto name = std::to_string(round);
    auto body = Gateway();
    body["name"] = "gateway" + name;
    body["gateway_definition"]["gateway_storage_name"] = "v" + name;
    auto gateway = Create(body);
    std::array<int, 4> statuses{};
    {
      std::vector<std::jthread> threads;
      for (size_t i = 0; i < statuses.size(); ++i) {
        threads.emplace_back([&, i] {
          auto columns = Json::array({"id", "c" + std::to_string(i)});
          auto pipeline = Over(gateway, fmt::format("p{}_{}", round, i), "shop",
                               {{"include_columns", columns}});
          statuses[i] = SendAs(token_, "POST", kPipelines, pipeline).status;
        });
      }
    }
    EXPECT_EQ(std::ranges::count(statuses, 200), 1) << "round " << round;
    EXPECT_EQ(std::ranges::count(statuses, 400), 3) << "round " << round;
    EXPECT_EQ(book_->Over(gateway)->size(), 1U);
  }
}

TEST_F(GatewaysTest, NothingIsMadeOverAGatewayThatIsBeingDeleted) {
  auto gateway = Create(Gateway());
  auto pipeline = Create(Over(gateway, "one"));
  ASSERT_TRUE(book_->Close(gateway));
  auto refused = Post(kPipelines, Over(gateway, "two"), 409);
  EXPECT_THAT(std::string(refused["message"]), HasSubstr("is being deleted"));
  book_->Reopen(gateway);
  Create(Over(gateway, "two"));
  EXPECT_THAT(std::string(Ask("DELETE", One(gateway), {}, 409)["message"]),
              HasSubstr("is used by the pipeline"));
}

TEST_F(GatewaysTest, AStagingVolumeIsNotDeletedWithWhatItIsIn) {
  constexpr char kSchema[] = "/api/2.1/unity-catalog/schemas/main.staging?force=true",
                 kCatalog[] = "/api/2.1/unity-catalog/catalogs/main?force=true";
  auto gateway = Create(Gateway());
  for (const auto* target : {kSchema, kCatalog}) {
    auto refused = Ask("DELETE", target, {}, 400);
    EXPECT_THAT(std::string(refused["message"]), HasSubstr("'main.staging.v' is the staging"));
  }
  Get("/api/2.1/unity-catalog/volumes/main.staging.v");
  Ask("DELETE", One(gateway), {}, 200);
  Ask("DELETE", kSchema, {}, 200);
}

TEST_F(GatewaysTest, AVolumeThatAGatewayLeftSaysSoAndTakesItsFolderAlong) {
  for (const auto* target : {"volumes/main.staging.v", "schemas/main.staging?force=true"}) {
    auto gateway = Create(Gateway());
    SetBegun(gateway, "shop");
    Ask("DELETE", One(gateway) + "?cascade=false", {}, 200);
    auto volume = Get("/api/2.1/unity-catalog/volumes/main.staging.v");
    EXPECT_THAT(std::string(volume["comment"]),
                testing::AllOf(HasSubstr("when it was deleted"), HasSubstr("'slot_1'"),
                               HasSubstr("'publication_1'")));
    const auto folder = folder_ + "/volumes/" + gateway;
    EXPECT_TRUE(std::filesystem::exists(folder + "/staging"));
    EXPECT_FALSE(std::filesystem::exists(pipeline::FolderOfPipeline(folder_, gateway)));
    Ask("DELETE", std::string("/api/2.1/unity-catalog/") + target, {}, 200);
    EXPECT_FALSE(std::filesystem::exists(folder));
  }
}

TEST_F(GatewaysTest, ADeletionThatIsForcedGoesOnAndTellsWhatItLeft) {
  auto gateway = Create(Gateway());
  SetBegun(gateway, "shop");  // and its source cannot be reached
  auto refused = Ask("DELETE", One(gateway), {}, 400);
  EXPECT_THAT(std::string(refused["message"]), HasSubstr("SOURCE_UNREACHABLE"));
  auto deleted = Ask("DELETE", One(gateway) + "?force=true", {}, 200);
  ASSERT_EQ(deleted["left_behind"].size(), 1U) << JsonText(deleted);
  EXPECT_THAT(std::string(deleted["left_behind"][0]["message"]), HasSubstr("there is no source"));
  Get(One(gateway), 404);
  Get("/api/2.1/unity-catalog/volumes/main.staging.v", 404);
}

TEST_F(GatewaysTest, ADeletionThatTakesLongIsAskedForAgain) {
  auto pipeline = Create(Direct("shop"));
  // One that is begun and not yet in a thread.
  auto update = book_->Begin(pipeline, "API_CALL", "{}");
  ASSERT_TRUE(update.ok());
  auto later = SendAs(token_, "DELETE", One(pipeline));
  EXPECT_EQ(later.status, 429) << later.body;
  EXPECT_THAT(later.headers, testing::Contains(testing::Pair("Retry-After", "1")));
  runner_->Submit(*update);
  while (SendAs(token_, "DELETE", One(pipeline)).status == 429) {
  }
  Get(One(pipeline), 404);
}

}  // namespace
}  // namespace freshet::api
