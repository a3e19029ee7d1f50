// SPDX-License-Identifier: Apache-2.0
// Every route by everybody: who may use it, and that nobody else may. A route that has no line here
// fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/world_test.h"

namespace freshet::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Authorisation, EveryRouteHasALine) {
  World world;
  std::set<std::string> lines{"health",        "ready",          "openapi",
                              "configuration", "oauth.discover", "oauth.token"};
  auto open = lines;
  for (const auto& line : AllLines()) EXPECT_TRUE(lines.insert(line.operation).second);
  auto document = world.Get("/api/openapi.json");
  for (const auto& [pattern, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      auto name = operation["operationId"].get<std::string>();
      EXPECT_EQ(lines.erase(name), 1U) << name << " has no line, or two routes have its name";
      EXPECT_EQ(operation.contains("security"), open.contains(name)) << name;
    }
  }
  EXPECT_THAT(lines, IsEmpty());
}

void ByEveryRole(World& world, const Line& line) {
  EXPECT_EQ(world.Send(line.method, line.target, JsonText(line.body), "").status, 401)
      << line.operation;
  // Those who may do less come first: what one of them changes, the others do not find.
  for (auto role : kRoles) {
    auto response = world.By(role, line);
    bool may = line.may.find(role[0]) != std::string::npos;
    EXPECT_EQ(response.status != 403, may)
        << line.operation << " by " << role << ": " << response.status << " " << response.body;
    EXPECT_NE(response.status, 401) << line.operation << " by " << role;
    if (may) continue;
    auto told = ParseJsonOrThrow<Json>(response.body);
    EXPECT_EQ(told["error_code"], "PERMISSION_DENIED");
    EXPECT_THAT(told["message"].get<std::string>(), HasSubstr("dministrator")) << line.operation;
  }
}

TEST(Authorisation, EveryRouteByEveryRole) {
  World unchanged;
  for (const auto& line : AllLines()) {
    if (line.method == "GET") {
      ByEveryRole(unchanged, line);
    } else {
      World world;
      ByEveryRole(world, line);
    }
  }
}

std::vector<std::string> Names(const Json& list, const char* field) {
  std::vector<std::string> names;
  for (const auto& each : list) names.push_back(each[field].get<std::string>());
  return names;
}

TEST(Authorisation, ListsTellWhatOneMaySee) {
  World world;
  const std::string uc = "/api/2.1/unity-catalog/";
  world.Post(uc + "catalogs", {{"name", "other"}});
  for (auto role : {"reader", "writer", "owner"}) {
    EXPECT_THAT(Names(world.Seen(role, uc + "catalogs")["catalogs"], "name"), ElementsAre("main"));
    EXPECT_THAT(Names(world.Seen(role, uc + "schemas?catalog_name=main")["schemas"], "name"),
                ElementsAre("sales"));
    EXPECT_THAT(Names(world.Seen(role, uc + "connections")["connections"], "name"),
                ElementsAre("shop"));
    EXPECT_THAT(Names(world.Seen(role, "/api/2.0/pipelines")["statuses"], "name"),
                ElementsAre("p"));
  }
  for (const auto& [target, list] : std::vector<std::pair<std::string, std::string>>{
           {uc + "catalogs", "catalogs"},
           {uc + "schemas?catalog_name=main", "schemas"},
           {uc + "tables?catalog_name=main&schema_name=sales", "tables"},
           {uc + "volumes?catalog_name=main&schema_name=sales", "volumes"},
           {uc + "connections", "connections"},
           {"/api/2.0/pipelines", "statuses"}})
    EXPECT_THAT(world.Seen("stranger", target)[list], IsEmpty()) << target;
  EXPECT_EQ(world.Seen("admin", uc + "catalogs")["catalogs"].size(), 2U);
  // Who may not grant sees what was granted to himself.
  auto grants = uc + "permissions/catalog/main";
  EXPECT_THAT(Names(world.Seen("reader", grants)["privilege_assignments"], "principal"),
              ElementsAre("Readers"));
  EXPECT_EQ(world.Seen("owner", grants)["privilege_assignments"].size(), 2U);
}

TEST(Authorisation, WhatIsMissingAndWhoCanGrantItIsSaid) {
  World world;
  auto refused = world.Seen("stranger", "/api/2.1/unity-catalog/tables/main.sales.orders");
  EXPECT_EQ(refused["message"],
            "User does not have USE CATALOG on Catalog 'main'. Its owner 'owner', anyone with "
            "MANAGE on it, or an administrator can grant it.");
}

TEST(Authorisation, PlacesAreTheAdministratorsToSay) {
  World world;
  const std::string uc = "/api/2.1/unity-catalog/";
  Json volume{{"catalog_name", "main"},
              {"schema_name", "sales"},
              {"name", "etc"},
              {"volume_type", "EXTERNAL"},
              {"storage_location", "file:///etc"}};
  Json schema{{"catalog_name", "main"}, {"name", "etc"}, {"storage_root", "file:///etc"}};
  Json placed{{"name", "etc"}, {"storage_root", "file:///etc"}};
  for (auto role : {"writer", "owner"}) {
    auto& token = world.tokens_[role];
    EXPECT_EQ(world.SendAs(token, "POST", uc + "volumes", volume).status, 403);
    EXPECT_EQ(world.SendAs(token, "POST", uc + "schemas", schema).status, 403);
    EXPECT_EQ(world.SendAs(token, "POST", uc + "catalogs", placed).status, 403);
  }
}

TEST(Authorisation, PipelinesDoNotLendRights) {
  World world;
  auto& writer = world.tokens_["writer"];
  // Nobody makes a pipeline run as another.
  auto body = World::Pipeline("mine");
  body["run_as"] = {{"user_name", "owner"}};
  EXPECT_EQ(world.SendAs(writer, "POST", "/api/2.0/pipelines", body).status, 403);
  // A manager of a pipeline cannot lead it where he may not go himself, nor whom it runs as.
  const std::string acl = "/api/2.0/permissions/pipelines/p";
  Json manage{
      {"access_control_list", {{{"user_name", "stranger"}, {"permission_level", "CAN_MANAGE"}}}}};
  world.Ask("PATCH", acl, manage, 200);
  auto& stranger = world.tokens_["stranger"];
  EXPECT_EQ(world.SendAs(stranger, "PUT", "/api/2.0/pipelines/p", World::Pipeline()).status, 403);
  // Rights that who it runs as has lost, its updates have lost too.
  world.Ask("PATCH", "/api/2.1/unity-catalog/connections/shop", {{"owner", "admin"}}, 200);
  auto refused = world.SendAs(writer, "POST", "/api/2.0/pipelines/p/updates");
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("runs as 'owner': User does not have USE CONNECTION"));
}

TEST(Authorisation, APipelineHasOneOwner) {
  World world;
  const std::string acl = "/api/2.0/permissions/pipelines/p";
  auto item = [](const char* field, const char* name, const char* level) {
    return Json{{field, name}, {"permission_level", level}};
  };
  auto list = [](std::initializer_list<Json> items) {
    auto array = Json::array();
    for (const auto& each : items) array.push_back(each);
    return Json{{"access_control_list", array}};
  };
  auto told = world.Ask("PUT", acl, list({item("group_name", "readers", "CAN_RUN")}), 200);
  auto entries = told["access_control_list"];
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0]["user_name"], "owner");
  EXPECT_EQ(entries[0]["all_permissions"][0]["permission_level"], "IS_OWNER");
  EXPECT_EQ(entries[2]["group_name"], "admins");
  EXPECT_EQ(entries[2]["all_permissions"][0]["inherited"], true);
  for (const auto& wrong :
       {list({item("group_name", "readers", "IS_OWNER")}),
        list({item("user_name", "owner", "CAN_RUN")}),
        list({item("user_name", "reader", "IS_OWNER"), item("user_name", "writer", "IS_OWNER")}),
        list({item("user_name", "reader", "CAN_FLY")}),
        list({Json{{"permission_level", "CAN_RUN"}}})})
    world.Ask("PUT", acl, wrong, 400);
  world.Ask("PUT", acl, list({item("user_name", "nobody", "CAN_RUN")}), 404);
  world.Ask("PUT", acl, list({item("user_name", "readers", "CAN_RUN")}), 404);
  // A manager says who may do what, but not whose it is.
  world.Ask("PATCH", acl, list({item("user_name", "reader", "CAN_MANAGE")}), 200);
  auto& reader = world.tokens_["reader"];
  EXPECT_EQ(
      world.SendAs(reader, "PATCH", acl, list({item("user_name", "writer", "CAN_RUN")})).status,
      200);
  EXPECT_EQ(
      world.SendAs(reader, "PATCH", acl, list({item("user_name", "reader", "IS_OWNER")})).status,
      403);
  EXPECT_EQ(world.SendAs(reader, "PUT", acl, list({item("user_name", "owner", "CAN_VIEW")})).status,
            403);
  told = ParseJsonOrThrow<Json>(world
                                    .SendAs(world.tokens_["owner"], "PATCH", acl,
                                            list({item("user_name", "reader", "IS_OWNER")}))
                                    .body);
  EXPECT_EQ(told["access_control_list"][0]["all_permissions"][0]["permission_level"], "IS_OWNER");
  EXPECT_EQ(world.SendAs(world.tokens_["owner"], "GET", acl).status, 200);
}

}  // namespace
}  // namespace freshet::api
