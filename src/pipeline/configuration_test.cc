// SPDX-License-Identifier: Apache-2.0
#include "pipeline/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet::pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kAll[] = R"({"pipelines.gateway.progressEventsEnabled": "False",
    "pipelines.gateway.progressEventEmitFrequencySeconds": "30", "spark.x": "1",
    "pipelines.enableSalesforceFormulaFieldsMVComputation": "true"})";

TEST(Configuration, SaysHowAGatewayTellsOfItsProgress) {
  auto read = ReadConfiguration(kAll, true);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_FALSE(read->tells_progress);
  EXPECT_EQ(read->progress_interval, std::chrono::seconds(30));
  EXPECT_THAT(read->unused, ElementsAre("spark.x"));
  auto none = ReadConfiguration("{}", true);
  ASSERT_TRUE(none.ok()) << none.status().ToString();
  EXPECT_TRUE(none->tells_progress);
  EXPECT_EQ(none->progress_interval, std::chrono::seconds(300));
  EXPECT_THAT(none->unused, IsEmpty());
}

TEST(Configuration, OfAGatewaySaysNothingToAPipeline) {
  auto read = ReadConfiguration(kAll, false);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_THAT(read->unused,
              ElementsAre("pipelines.gateway.progressEventsEnabled",
                          "pipelines.gateway.progressEventEmitFrequencySeconds", "spark.x"));
}

TEST(Configuration, EachKeyThatIsWrongIsNamed) {
  auto refused = [](const std::string& key, const std::string& value) {
    auto read = ReadConfiguration(fmt::format(R"({{"{}": {}}})", key, value), true);
    EXPECT_TRUE(read.status().Is(ErrorClass::INVALID_ARGUMENT)) << key << value;
    EXPECT_THAT(read.status().ToString(), HasSubstr("configuration." + key));
  };
  refused("spark.x", "1");
  refused("spark.x", "null");
  refused("pipelines.gateway.progressEventsEnabled", R"("yes")");
  refused("pipelines.enableSalesforceFormulaFieldsMVComputation", R"("1")");
  for (const auto* seconds : {"29", "3601", "", "60s", " 60", "6e1", "99999999999999999999"}) {
    refused("pipelines.gateway.progressEventEmitFrequencySeconds", fmt::format("\"{}\"", seconds));
  }
  EXPECT_FALSE(ReadConfiguration("[]", true).ok());
}

TEST(Configuration, OfLongAgoIsReadAsFarAsItCanBe) {
  PipelineRecord pipeline{.id = "p", .spec = R"({"gateway_definition": {}, "configuration": {
      "pipelines.gateway.progressEventsEnabled": "yes", "n": 1,
      "pipelines.gateway.progressEventEmitFrequencySeconds": "60"}})"};
  auto read = ConfigurationOf(pipeline);
  EXPECT_TRUE(read.tells_progress);
  EXPECT_EQ(read.progress_interval, std::chrono::seconds(60));
  EXPECT_THAT(read.unused, ElementsAre("pipelines.gateway.progressEventsEnabled", "n"));
  pipeline.spec = R"({"configuration": null})";
  EXPECT_THAT(ConfigurationOf(pipeline).unused, IsEmpty());
}

}  // namespace
}  // namespace freshet::pipeline
