// SPDX-License-Identifier: Apache-2.0
#include "api/pipeline_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/service_fixture_test.h"

namespace freshet::api {
namespace {

using testing::HasSubstr;

constexpr char kPipelines[] = "/api/2.0/pipelines";

class PipelineSpecTest : public testing::Test, protected ServiceFixture {
 protected:
  PipelineSpecTest() {
    Post("/api/2.1/unity-catalog/catalogs", {{"name", "main"}});
    Post("/api/2.1/unity-catalog/connections",
         {{"name", "shop"},
          {"connection_type", "POSTGRESQL"},
          {"options", {{"host", "h"}, {"user", "u"}, {"password", "p"}}}});
  }
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
};

TEST_F(PipelineSpecTest, ARestartWindowIsReadAndToldAsItWasSent) {
  const Json window{{"start_hour", 3},
                    {"days_of_week", Json::array({"SUNDAY"})},
                    {"time_zone_id", "Europe/Berlin"}};
  auto pipeline = Create(Gateway("restart_window", window));
  EXPECT_EQ(Get(pipeline)["spec"]["restart_window"], window);
  EXPECT_THAT(Refused("restart_window", {{"start_hour", 24}}),
              HasSubstr("restart_window.start_hour is not an hour"));
  EXPECT_THAT(Refused("restart_window", 3), HasSubstr("restart_window is neither"));
  auto edited = Gateway("restart_window", {{"start_hour", 3}, {"time_zone_id", "Nowhere"}});
  EXPECT_THAT(Ask("PUT", pipeline, edited, 400)["message"].get<std::string>(),
              HasSubstr("restart_window.time_zone_id"));
}

}  // namespace
}  // namespace freshet::api
