// SPDX-License-Identifier: Apache-2.0
// That the API is as its document says: what it takes here, what it answers wherever a test asks
// (service_fixture_test.h).
#include "api/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "api/world_test.h"

namespace freshet::api {
namespace {

using testing::HasSubstr;

constexpr char kUnknown[] = "no_such_field";

/// Bodies that are as small as can be and reach one object each, which has a field too many.
class Probes {
 public:
  explicit Probes(const Conformance& conformance) : conformance_(conformance) {}

  struct Probe {
    Json body;
    std::set<std::string> fields;  // that the object has
  };
  /// One of every object in a body.
  std::vector<Probe> Of(const Json& schema) const {
    std::vector<Probe> probes;
    const auto& type = conformance_.Resolved(schema);
    for (const auto& each : type.value("anyOf", Json::array())) Append(Of(each), &probes);
    if (auto items = type.find("items"); items != type.end()) {
      for (auto& probe : Of(*items)) {
        probe.body = Json::array({probe.body});
        probes.push_back(std::move(probe));
      }
    }
    auto properties = type.value("properties", Json::object());
    // Of these there is one.
    auto begun = properties.contains("report") ? Json::object() : Smallest(schema);
    if (type.value("additionalProperties", Json()) == false) {
      Probe probe{.body = begun, .fields = {}};
      probe.body[kUnknown] = "x";
      for (const auto& [name, property] : properties.items()) probe.fields.insert(name);
      probes.push_back(std::move(probe));
    }
    for (const auto& [name, property] : properties.items()) {
      for (auto& probe : Of(property)) {
        auto body = begun;
        body[name] = std::move(probe.body);
        probe.body = std::move(body);
        probes.push_back(std::move(probe));
      }
    }
    return probes;
  }

 private:
  static void Append(std::vector<Probe> more, std::vector<Probe>* probes) {
    std::ranges::move(more, std::back_inserter(*probes));
  }
  Json Smallest(const Json& schema) const {
    const auto& type = conformance_.Resolved(schema);
    if (auto values = type.find("enum"); values != type.end()) return values->front();
    if (auto any = type.find("anyOf"); any != type.end()) return Smallest(any->front());
    auto kind = type.value("type", Json());
    if (kind.is_array()) kind = kind.front();
    if (kind == "boolean") return true;
    if (kind == "integer") return 1;
    if (kind == "array") return Json::array({Smallest(type["items"])});
    if (kind != "object") return "x";
    auto object = Json::object();
    auto properties = type.value("properties", Json::object());
    for (const auto& name : type.value("required", Json::array()))
      object[name.get<std::string>()] = Smallest(properties[name.get<std::string>()]);
    // What is looked at before the fields are.
    const std::map<std::string, std::string> there{
        {"path", "/x"}, {"catalog_name", "main"}, {"schema_name", "sales"}};
    for (const auto& [name, value] : there) {
      if (object.contains(name)) object[name] = value;
    }
    if (properties.contains("ingestion_gateway_id")) object["connection_name"] = "shop";
    if (properties.contains("report"))
      object["schema"] = Smallest(properties["schema"]["anyOf"].front());
    return object;
  }

  const Conformance& conformance_;
};

/// The request of an operation, of something that is there.
Line LineOf(const World& world, const std::string& operation) {
  Line line;
  for (const auto& each : AllLines()) {
    if (each.operation == operation) line = each;
  }
  auto id = [&](const char* name) { return std::to_string((*world.principals_->Find(name))->id); };
  const std::map<std::string, std::string> ids{
      {"users", id("owner")}, {"groups", id("readers")}, {"service_principals", id("robot")}};
  if (line.target.ends_with("/99"))
    line.target.replace(line.target.size() - 2, 2,
                        ids.at(operation.substr(0, operation.find('.'))));
  if (auto at = line.target.find("/1/"); at != std::string::npos)
    line.target.replace(at + 1, 1, id("robot"));
  return line;
}

/// What the answer says that the fields are.
std::set<std::string> ToldFields(const Json& answer) {
  std::set<std::string> fields;
  auto remedy = answer["details"][0]["metadata"].value("remedy", "");
  const std::string_view begin = "The fields are: ";
  if (!remedy.starts_with(begin)) return fields;
  std::string name;
  for (char c : remedy.substr(begin.size())) {
    if (c == ',' || c == '.') {
      fields.insert(std::exchange(name, ""));
    } else if (c != ' ') {
      name += c;
    }
  }
  return fields;
}

TEST(OpenApi, AnObjectHasTheFieldsThatAreReadAndNoOthers) {
  World world;
  const Probes probes(world.conformance());
  int probed = 0;
  for (const auto& [pattern, operations] : world.conformance().document()["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      auto name = operation["operationId"].get<std::string>();
      auto content =
          operation.value("requestBody", Json::object()).value("content", Json::object());
      if (!content.contains("application/json")) continue;
      for (const auto& probe : probes.Of(content["application/json"]["schema"])) {
        auto line = LineOf(world, name);
        line.body = probe.body;
        auto response = world.By("admin", line);
        EXPECT_EQ(response.status, 400) << name << " " << JsonText(line.body);
        EXPECT_THAT(response.body, HasSubstr(kUnknown)) << name << " " << JsonText(line.body);
        EXPECT_EQ(ToldFields(ParseJsonOrThrow<Json>(response.body)), probe.fields)
            << name << " " << JsonText(line.body);
        ++probed;
      }
    }
  }
  EXPECT_GT(probed, 60);
}

TEST(OpenApi, IsToldToEverybody) {
  World world;
  auto response = world.Send("GET", "/api/openapi.json", "", "");
  ASSERT_EQ(response.status, 200);
  auto document = ParseJsonOrThrow<Json>(response.body);
  EXPECT_EQ(document["openapi"], "3.1.0");
  const auto& get = document["paths"]["/api/2.0/fs/files/{path}"]["get"];
  EXPECT_EQ(get["operationId"], "files.download");
  EXPECT_EQ(get["tags"], Json::array({"files"}));
  EXPECT_EQ(get["parameters"][0]["name"], "path");
  EXPECT_TRUE(get["responses"]["200"]["content"].contains("application/octet-stream"));
  EXPECT_TRUE(get["responses"].contains("206"));
  const auto& put = document["paths"]["/api/2.0/fs/files/{path}"]["put"];
  EXPECT_TRUE(put["responses"].contains("204"));
  const auto& exported = document["paths"]["/api/2.0/workspace/export"]["get"];
  EXPECT_EQ(exported["responses"]["200"]["content"].size(), 2U);
  EXPECT_EQ(exported["parameters"][0]["required"], true);
  EXPECT_EQ(exported["parameters"][0]["schema"]["minLength"], 1);
  // What is sent has no other fields, and may say null; what is told may have more one day.
  const auto& types = document["components"]["schemas"];
  EXPECT_EQ(types["NewCatalog"]["additionalProperties"], false);
  EXPECT_EQ(types["NewCatalog"]["properties"]["comment"]["type"], Json::array({"string", "null"}));
  EXPECT_EQ(types["NewCatalog"]["properties"]["name"]["minLength"], 1);
  EXPECT_FALSE(types["Catalog"].contains("additionalProperties"));
  EXPECT_EQ(types["Catalog"]["properties"]["comment"]["type"], "string");
  const auto& body = document["paths"]["/oidc/v1/token"]["post"]["requestBody"];
  EXPECT_EQ(body["required"], true);
  EXPECT_TRUE(body["content"].contains("application/x-www-form-urlencoded"));
}

TEST(OpenApi, IsOfEveryRouteAndOfNothingElse) {
  auto made = [](std::string_view description) {
    Router router;
    router.Add(
        {.method = "GET", .pattern = "/a/{*path}", .operation = "a.get", .rule = Rule::Anyone()});
    router.Describe(description);
    return OpenApiOf(router);
  };
  auto document = made("a.get(x?: flag): A -- Gets.\nA = {b: text}\n");
  ASSERT_TRUE(document.ok()) << document.status().ToString();
  EXPECT_EQ((*document)["paths"]["/a/{path}"]["get"]["parameters"].size(), 2U);
  EXPECT_THAT(made("A = text").status().ToString(), HasSubstr("a route is not described: a.get"));
  EXPECT_THAT(made("a.get(): text -- Gets.\nb.get(): text -- Gets.\n").status().ToString(),
              HasSubstr("a description is of no route: b.get"));
  EXPECT_THAT(made("a.get(): Unknown -- Gets.\n").status().ToString(),
              HasSubstr("a type that is not there: Unknown"));
}

TEST(OpenApi, WhatIsNotDescribedIsNotRead) {
  World world;
  // `cascade` is of deletions.
  EXPECT_EQ(world.Get("/api/2.0/pipelines/p?cascade=x")["pipeline_id"], "p");
  for (const auto* target :
       {"/api/2.0/pipelines?max_results=-1", "/api/2.0/pipelines?max_results=",
        "/api/2.1/unity-catalog/tables?catalog_name=main&schema_name=sales&omit_columns=",
        "/api/2.0/preview/scim/v2/Users?sortOrder=up",
        "/api/2.0/preview/scim/v2/Groups?sortOrder=", "/api/2.0/audit-log?page_token=x",
        "/api/2.0/workspace/get-status?path=/Users&return_export_info=1"})
    world.Get(target, 400);
  world.Get("/api/2.0/audit-log?page_token=");
}

TEST(OpenApi, ListsAreListsAndObjectsObjects) {
  World world;
  Json grant{{"principal", "x"}, {"add", {"SELECT"}}};
  const std::string grants = "/api/2.1/unity-catalog/permissions/catalog/main";
  world.Ask("PATCH", grants, {{"changes", Json::object({{"x", grant}})}}, 400);
  Json entry{{"user_name", "reader"}, {"permission_level", "CAN_RUN"}};
  world.Ask("PUT", "/api/2.0/permissions/pipelines/p",
            {{"access_control_list", Json::object({{"x", entry}})}}, 400);
  world.Ask("PATCH", "/api/2.0/token/x", {{"token", Json::array({"comment"})}}, 400);
  auto robot = "/api/2.0/preview/scim/v2/ServicePrincipals/" + std::to_string(world.robot_);
  Json rename{{"op", "replace"}, {"path", "displayName"}, {"value", "r"}};
  world.Ask("PATCH", robot, {{"Operations", Json::object({{"x", rename}})}}, 400);
  rename["pth"] = "x";
  world.Ask("PATCH", robot, {{"Operations", Json::array({rename})}}, 400);
  rename.erase("pth");
  world.Ask("PATCH", robot, {{"Operations", Json::array({rename})}}, 200);
  for (const auto& wrong : {Json{{"fo", false}}, Json{{"cause", "WIND"}},
                            Json{{"full_refresh_selection", false}}, Json{{"parameters", true}}})
    world.Post("/api/2.0/pipelines/p/updates", wrong, 400);
}

}  // namespace
}  // namespace freshet::api
