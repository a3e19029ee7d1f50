// SPDX-License-Identifier: Apache-2.0
#include "api/pipeline_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/service_fixture_test.h"

namespace freshet::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kPipelines[] = "/api/2.0/pipelines";

class PipelineSpecTest : public testing::Test, protected ServiceFixture {
 protected:
  PipelineSpecTest() { MakeMainAndShop(); }
  static Json Gateway(const std::string& field = "", const Json& value = {}) {
    Json json{{"name", "gateway"},
              {"gateway_definition",
               {{"connection_name", "shop"},
                {"gateway_storage_catalog", "main"},
                {"gateway_storage_schema", "staging"}}}};
    if (!field.empty()) json[field] = value;
    return json;
  }
  std::string Refused(const std::string& field, const Json& value) const {
    return Post(kPipelines, Gateway(field, value), 400)["message"];
  }
  std::string Create(const Json& body) const {
    return std::string(kPipelines) + "/" + Post(kPipelines, body)["pipeline_id"].get<std::string>();
  }
  std::vector<std::string> Warnings(const std::string& pipeline) const {
    std::vector<std::string> messages;
    const auto events = Get(pipeline + "/events?filter=level%3D'WARN'")["events"];
    for (const auto& event : events) messages.push_back(event["message"]);
    return messages;
  }
};

TEST_F(PipelineSpecTest, ARestartWindowIsReadAndToldAsItWasSent) {
  const Json window{{"start_hour", 3},
                    {"days_of_week", Json::array({"SUNDAY"})},
                    {"time_zone_id", "Europe/Berlin"}};
  auto pipeline = Create(Gateway("restart_window", window));
  EXPECT_EQ(Get(pipeline)["spec"]["restart_window"], window);
  EXPECT_THAT(Refused("restart_window", {{"start_hour", 24}}),
              HasSubstr("restart_window.start_hour is not an hour"));
  EXPECT_THAT(Refused("restart_window", 3), HasSubstr("restart_window is not an object"));
  auto edited = Gateway("restart_window", {{"start_hour", 3}, {"time_zone_id", "Nowhere"}});
  EXPECT_THAT(Ask("PUT", pipeline, edited, 400)["message"].get<std::string>(),
              HasSubstr("restart_window.time_zone_id"));
}

TEST_F(PipelineSpecTest, TagsAndParametersHaveTheirLimits) {
  Json tags = Json::object();
  for (int i = 0; i < 25; ++i) tags["t" + std::to_string(i)] = "x";
  auto body = Gateway("tags", tags);
  body["parameters"] = {{"long", std::string(9900, 'x')}};
  auto pipeline = Create(body);
  EXPECT_EQ(Get(pipeline)["spec"]["tags"], tags);
  EXPECT_EQ(Get(pipeline)["parameters"], body["parameters"]);
  tags["another"] = "x";
  EXPECT_THAT(Refused("tags", tags), HasSubstr("tags are more than 25"));
  EXPECT_THAT(Refused("tags", {{"t", 1}}), HasSubstr("tags.t is not a text"));
  EXPECT_THAT(Refused("parameters", {{"long", std::string(10'001, 'x')}}),
              HasSubstr("parameters have more than 10000"));
}

TEST_F(PipelineSpecTest, KeysOfTheConfigurationThatSayNothingAreNamed) {
  constexpr char kInterval[] = "pipelines.gateway.progressEventEmitFrequencySeconds";
  EXPECT_THAT(Refused("configuration", {{kInterval, "10"}}), HasSubstr(kInterval));
  EXPECT_THAT(Refused("configuration", {{"spark.x", 1}}),
              HasSubstr("configuration.spark.x is not a text"));
  const Json configuration{{"spark.x", "1"}, {kInterval, "60"}, {"spark.y", ""}};
  auto pipeline = Create(Gateway("configuration", configuration));
  EXPECT_EQ(Get(pipeline)["spec"]["configuration"], configuration);
  const std::string told = "Nothing follows from these keys of the configuration: ";
  EXPECT_THAT(Warnings(pipeline), ElementsAre(told + "spark.x, spark.y."));
  Ask("PUT", pipeline, Gateway("configuration", {{"spark.z", "1"}}), 200);
  EXPECT_THAT(Warnings(pipeline)[0], told + "spark.z.");
  Ask("PUT", pipeline, Gateway("configuration", {{kInterval, "60"}}), 200);
  EXPECT_EQ(Warnings(pipeline).size(), 2U);
  Ask("PUT", pipeline, Gateway("configuration", {{"spark.z", "1"}}), 200);
  Post(pipeline + "/updates", {{"validate_only", true}});
  // An update that fails tells of other things, too.
  EXPECT_EQ(std::ranges::count(Warnings(pipeline), told + "spark.z."), 3);
}

}  // namespace
}  // namespace freshet::api
