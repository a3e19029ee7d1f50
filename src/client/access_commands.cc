// SPDX-License-Identifier: Apache-2.0
// Grants and tokens. Source: the published Unity Catalog API, 2.1, and token API, 2.0.
#include "client/command.h"

namespace freshet::client {
namespace {

using Kind = Argument::Kind;
using Shape = Command::Shape;

constexpr char kGrants[] = "/api/2.1/unity-catalog/permissions/{type}/{name}",
               kEffective[] = "/api/2.1/unity-catalog/effective-permissions/{type}/{name}";

/// What something is granted on.
std::vector<Argument> Target() {
  auto type = InPath("TYPE", "type", "catalog, schema, table, volume, connection or metastore");
  type.values = {"catalog", "schema", "table", "volume", "connection", "metastore"};
  return {type, InPath("NAME", "name", "its full name; of the metastore, its id")};
}

Argument Privileges(std::string name, std::string field, std::string meaning) {
  auto argument = InBody(std::move(name), std::move(field), "PRIVILEGES", std::move(meaning));
  argument.kind = Kind::kList;
  return argument;
}

Command Grants(std::string verb, std::string path, std::string summary, Column privileges) {
  auto arguments = Target();
  arguments.push_back(InQuery("--principal", "principal", "NAME", "only what this one has"));
  return {.resource = "grants",
          .verb = verb,
          .summary = std::move(summary),
          .method = "GET",
          .path = std::move(path),
          .arguments = std::move(arguments),
          .shape = Shape::kListIn,
          .items = "privilege_assignments",
          .columns = {{"PRINCIPAL", "principal"}, std::move(privileges)},
          .example = "freshet grants " + verb + " schema main.sales"};
}

Command ChangeGrants() {
  auto arguments = Target();
  arguments.push_back(InBody("--principal", "changes.0.principal", "NAME", "whose they are"));
  arguments.push_back(Privileges("--add", "changes.0.add", "these are granted: SELECT,USE_SCHEMA"));
  arguments.push_back(Privileges("--remove", "changes.0.remove", "these are revoked"));
  arguments.push_back(WholeBody(false, "an object with changes"));
  return {.resource = "grants",
          .verb = "update",
          .summary = "grant privileges, and revoke them",
          .method = "PATCH",
          .path = kGrants,
          .arguments = std::move(arguments),
          .shape = Shape::kListIn,
          .items = "privilege_assignments",
          .columns = {{"PRINCIPAL", "principal"}, {"PRIVILEGES", "privileges"}},
          .example =
              "freshet grants update schema main.sales --principal ann --add "
              "USE_SCHEMA,SELECT"};
}

std::vector<Command> Tokens() {
  auto lifetime = InBody("--lifetime-seconds", "lifetime_seconds", "NUMBER",
                         "when it ends; for ever where it is not said");
  lifetime.kind = Kind::kNumber;
  return {
      {.resource = "tokens",
       .verb = "create",
       .summary = "make a token for oneself; it is told once",
       .method = "POST",
       .path = "/api/2.0/token/create",
       .arguments = {InBody("--comment", "comment", "TEXT", "what it is for"), lifetime},
       .columns = {{"token_value", "token_value"},
                   {"token_id", "token_info.token_id"},
                   {"expiry_time", "token_info.expiry_time"}},
       .example = "freshet tokens create --comment ci --lifetime-seconds 86400"},
      {.resource = "tokens",
       .verb = "list",
       .summary = "one's own tokens",
       .method = "GET",
       .path = "/api/2.0/token/list",
       .arguments = {Limit()},
       .shape = Shape::kList,
       .items = "token_infos",
       .columns = {{"TOKEN ID", "token_id"},
                   {"COMMENT", "comment"},
                   {"CREATED", "creation_time"},
                   {"EXPIRES", "expiry_time"}},
       .example = "freshet tokens list"},
      {.resource = "tokens",
       .verb = "delete",
       .summary = "end one of one's own tokens",
       .method = "POST",
       .path = "/api/2.0/token/delete",
       .arguments = {InBody("TOKEN_ID", "token_id", "", "as 'freshet tokens list' says it")},
       .example = "freshet tokens delete 4f1c…",
       .done = "deleted"},
  };
}

}  // namespace

std::vector<Command> AccessCommands() {
  std::vector<Command> commands{
      Grants("get", kGrants, "what is granted on something itself", {"PRIVILEGES", "privileges"}),
      Grants("get-effective", kEffective, "also what is granted on all that it is in",
             {"PRIVILEGES", "privileges"}),
      ChangeGrants()};
  for (auto& command : Tokens()) commands.push_back(std::move(command));
  return commands;
}

}  // namespace freshet::client
