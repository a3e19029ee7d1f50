// SPDX-License-Identifier: Apache-2.0
#include "client/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace freshet::client {
namespace {

using testing::HasSubstr;

using Texts = std::map<std::string, std::vector<std::string>>;

Command Named(const std::string& resource, const std::string& verb) {
  for (auto& command : AllCommands()) {
    if (command.resource == resource && command.verb == verb) return command;
  }
  ADD_FAILURE() << resource << " " << verb;
  return {};
}

/// The request as one line, or the error.
std::string Asked(const std::string& resource, const std::string& verb, const Texts& texts,
                  std::optional<Json> whole = std::nullopt) {
  Given given;
  for (const auto& [name, values] : texts) given.Set(name, values);
  auto call = CallOf(Named(resource, verb), given, whole);
  if (!call.ok()) return call.status().ToString();
  return call->method + " " + call->target + (call->body ? " " + JsonText(*call->body) : "");
}

TEST(Commands, EachIsWhole) {
  std::set<std::string> names;
  for (const auto& command : AllCommands()) {
    auto name = command.resource + " " + command.verb;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_FALSE(command.summary.empty()) << name;
    EXPECT_FALSE(SummaryOf(command.resource).empty()) << name;
    EXPECT_TRUE(command.example.starts_with("freshet " + command.resource)) << name;
    EXPECT_EQ(command.shape == Command::Shape::kObject,
              command.items.empty() || name == "pipelines get-update")
        << name;
    EXPECT_TRUE(command.shape == Command::Shape::kObject || !command.columns.empty()) << name;
    bool asks =
        command.action == Command::Action::kRequest || command.action == Command::Action::kStart;
    auto path = command.path;
    for (const auto& argument : command.arguments) {
      EXPECT_FALSE(argument.meaning.empty()) << name << argument.name;
      if (argument.place != Argument::Place::kPath || !asks) continue;
      auto at = path.find("{" + argument.field + "}");
      ASSERT_NE(at, std::string::npos) << name;
      path.erase(at, argument.field.size() + 2);
    }
    EXPECT_EQ(path.starts_with("/api/"), asks) << name;
    EXPECT_EQ(path.find('{'), std::string::npos) << name;
  }
}

TEST(Commands, ArgumentsGoWhereTheyBelong) {
  EXPECT_EQ(Asked("pipelines", "list", {{"--filter", {"name LIKE 'a%'"}}, {"--limit", {"3"}}}),
            "GET /api/2.0/pipelines?filter=name%20LIKE%20%27a%25%27");
  EXPECT_EQ(Asked("pipelines", "delete", {{"PIPELINE", {"p"}}, {"--keep-tables", {"true"}}}),
            "DELETE /api/2.0/pipelines/p?cascade=false");
  EXPECT_EQ(
      Asked("pipelines", "start-update",
            {{"PIPELINE", {"p"}},
             {"--full-refresh-selection", {"a", "b"}},
             {"--validate-only", {"true"}},
             {"--wait", {"true"}}}),
      R"(POST /api/2.0/pipelines/p/updates {"full_refresh_selection":["a","b"],"validate_only":true})");
  EXPECT_EQ(Asked("pipelines", "stop", {{"PIPELINE", {"p"}}}), "POST /api/2.0/pipelines/p/stop {}");
  EXPECT_EQ(
      Asked("schemas", "create",
            {{"NAME", {"sales"}}, {"CATALOG", {"main"}}, {"--property", {"a=b=c"}}}),
      R"(POST /api/2.1/unity-catalog/schemas {"name":"sales","catalog_name":"main","properties":{"a":"b=c"}})");
  EXPECT_EQ(Asked("tables", "list", {{"CATALOG", {"main"}}, {"SCHEMA", {"a b"}}}),
            "GET /api/2.1/unity-catalog/tables?catalog_name=main&schema_name=a%20b");
  EXPECT_EQ(Asked("tables", "get", {{"CATALOG.SCHEMA.TABLE", {"main.`a/b`.t"}}}),
            "GET /api/2.1/unity-catalog/tables/main.%60a%2Fb%60.t");
  EXPECT_EQ(
      Asked("grants", "update",
            {{"TYPE", {"schema"}},
             {"NAME", {"main.s"}},
             {"--principal", {"ann"}},
             {"--add", {"SELECT"}}}),
      R"(PATCH /api/2.1/unity-catalog/permissions/schema/main.s {"changes":[{"principal":"ann","add":["SELECT"]}]})");
  EXPECT_EQ(Asked("tokens", "create", {{"--lifetime-seconds", {"60"}}}),
            R"(POST /api/2.0/token/create {"lifetime_seconds":60})");
}

TEST(Commands, WhatIsSaidByItselfTakesThePlaceOfWhatIsInTheBody) {
  auto whole = ParseJsonOrThrow<Json>(R"({"name": "a", "catalog": "main"})");
  EXPECT_EQ(Asked("pipelines", "create", {{"--name", {"b"}}}, whole),
            R"(POST /api/2.0/pipelines {"name":"b","catalog":"main"})");
  EXPECT_EQ(
      Asked("grants", "update", {{"TYPE", {"catalog"}}, {"NAME", {"m"}}, {"--principal", {"x"}}},
            ParseJsonOrThrow<Json>(R"({"changes": "odd"})")),
      R"(PATCH /api/2.1/unity-catalog/permissions/catalog/m {"changes":[{"principal":"x"}]})");
}

TEST(Commands, WhatCannotBeSentIsNamed) {
  EXPECT_THAT(Asked("catalogs", "get", {{"NAME", {""}}}), HasSubstr("NAME is no name"));
  EXPECT_THAT(Asked("catalogs", "get", {{"NAME", {".."}}}), HasSubstr("NAME is no name"));
  EXPECT_THAT(Asked("catalogs", "update", {{"NAME", {"x"}}}), HasSubstr("nothing is said"));
  EXPECT_THAT(Asked("tokens", "create", {{"--lifetime-seconds", {"soon"}}}), HasSubstr("soon"));
  EXPECT_THAT(Asked("catalogs", "create", {{"NAME", {"x"}}, {"--property", {"=hunter2"}}}),
              Not(HasSubstr("hunter2")));
  EXPECT_THAT(Asked("pipelines", "create", {}, Json::array()), HasSubstr("not an object"));
}

}  // namespace
}  // namespace freshet::client
