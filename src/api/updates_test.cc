// SPDX-License-Identifier: Apache-2.0
#include "api/updates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/service_fixture_test.h"

namespace freshet::api {
namespace {

using testing::HasSubstr;

constexpr char kPipelines[] = "/api/2.0/pipelines";

class UpdatesTest : public testing::Test, protected ServiceFixture {
 protected:
  UpdatesTest() {
    Post("/api/2.1/unity-catalog/catalogs", {{"name", "main"}});
    Post("/api/2.1/unity-catalog/connections",
         {{"name", "shop"},
          {"connection_type", "POSTGRESQL"},
          {"options", {{"host", "h"}, {"user", "u"}, {"password", "p"}}}});
  }
  static Json Pipeline(const std::string& name) {
    Json table{{"source_catalog", "shop"},
               {"source_schema", "public"},
               {"source_table", "orders"},
               {"destination_catalog", "main"},
               {"destination_schema", name}};
    return {{"name", name},
            {"ingestion_definition",
             {{"connection_name", "shop"},
              {"connector_type", "CDC"},
              {"objects", Json::array({{{"table", table}}})}}}};
  }
  static std::string UpdatesOf(const Json& created) {
    return std::string(kPipelines) + "/" + created["pipeline_id"].get<std::string>() + "/updates";
  }
  std::string Refused(const std::string& updates, const Json& body) const {
    return Post(updates, body, 400)["message"];
  }
};

TEST_F(UpdatesTest, ASelectionIsOfThePipelinesTables) {
  auto updates = UpdatesOf(Post(kPipelines, Pipeline("one")));
  EXPECT_THAT(Refused(updates, {{"refresh_selection", Json::array({"orders", "none"})}}),
              HasSubstr("refresh_selection: no table of the pipeline is none"));
  EXPECT_THAT(Refused(updates, {{"full_refresh_selection", Json::array({"none"})}}),
              HasSubstr("full_refresh_selection: no table of the pipeline is none"));
  EXPECT_THAT(Refused(updates, {{"refresh_selection", "orders"}}), HasSubstr("a list of texts"));
  EXPECT_THAT(
      Refused(updates, {{"full_refresh", true}, {"refresh_selection", Json::array({"orders"})}}),
      HasSubstr("beside a selection"));
  auto update = Post(updates, {{"refresh_selection", Json::array({"orders"})}})["update_id"];
  auto told = Get(updates + "/" + update.get<std::string>())["update"];
  EXPECT_EQ(told["refresh_selection"], Json::array({"orders"}));
}

TEST_F(UpdatesTest, AContinuousPipelineFollowsAllItsTables) {
  auto pipeline = Pipeline("one");
  pipeline["continuous"] = true;
  auto updates = UpdatesOf(Post(kPipelines, pipeline));
  EXPECT_THAT(Refused(updates, {{"refresh_selection", Json::array({"orders"})}}),
              HasSubstr("follows all its tables"));
}

}  // namespace
}  // namespace freshet::api
