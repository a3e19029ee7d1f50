// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lineage.h"

#include <gtest/gtest.h>

#include "api/world_test.h"

namespace freshet::api {
namespace {

const std::string kTableLineage = "/api/2.0/lineage-tracking/table-lineage?table_name=";

class LineageTest : public testing::Test, protected World {
 protected:
  LineageTest() {
    pipeline::Lineage lineage{
        .connection = "Shop", .database = "shop", .source = {"public", "Orders"}, .at = 17};
    catalog::Change change;
    change.facts = pipeline::FactsOf(lineage);
    change.facts["pipeline_id"] = "p";
    const catalog::Path orders{"main", "sales", "orders"};
    EXPECT_TRUE(catalog_->Alter(catalog::Kind::kTable, orders, change, "owner").ok());
  }
};

TEST_F(LineageTest, LeadsFromATableToItsSource) {
  auto told = Get(kTableLineage + "main.sales.orders");
  ASSERT_EQ(told["upstreams"].size(), 1U);
  EXPECT_EQ(told["upstreams"][0]["tableInfo"]["name"], "Orders");
  EXPECT_EQ(told["upstreams"][0]["pipelineInfos"][0]["pipeline_id"], "p");
  EXPECT_TRUE(told["downstreams"].empty());
  told = Get(kTableLineage + "main.sales.orders&include_entity_lineage=false");
  EXPECT_FALSE(told["upstreams"][0].contains("pipelineInfos"));
}

TEST_F(LineageTest, LeadsFromASourceToItsTables) {
  const auto source = kTableLineage + "shop.public.Orders&connection_name=SHOP";
  auto told = Get(source);
  EXPECT_TRUE(told["upstreams"].empty());
  ASSERT_EQ(told["downstreams"].size(), 1U);
  Json info{{"name", "orders"},
            {"catalog_name", "main"},
            {"schema_name", "sales"},
            {"table_type", ""},
            {"lineage_timestamp", 17}};
  EXPECT_EQ(told["downstreams"][0]["tableInfo"], info);
  EXPECT_EQ(told["downstreams"][0]["pipelineInfos"][0]["lineage_timestamp"], 17);
  for (const auto* other : {"shop.public.orders", "shop.other.Orders", "bar.public.Orders"})
    EXPECT_TRUE(Get(kTableLineage + other + "&connection_name=shop")["downstreams"].empty());
  Get(kTableLineage + "shop.public.Orders&connection_name=none", 404);
  Get(kTableLineage + "shop.public.Orders", 404);
}

TEST_F(LineageTest, TellsOfTablesThatOneMaySee) {
  const auto source = kTableLineage + "shop.public.Orders&connection_name=shop";
  EXPECT_EQ(Seen("reader", source)["downstreams"].size(), 1U);
  EXPECT_EQ(SendAs(tokens_["stranger"], "GET", source).status, 403);
  auto shop = catalog_->Get(catalog::Kind::kConnection, {"shop"});
  ASSERT_TRUE(grants_->Apply(shop->id, {{"stranger", {"USE_CONNECTION"}, {}}}).ok());
  EXPECT_TRUE(Seen("stranger", source)["downstreams"].empty());
}

}  // namespace
}  // namespace freshet::api
