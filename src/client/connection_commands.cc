// SPDX-License-Identifier: Apache-2.0
// Connections. Source: the published Unity Catalog API, 2.1; `test`, `discover` and `types` are
// ours.
#include "client/command.h"

namespace freshet::client {
namespace {

using Kind = Argument::Kind;
using Shape = Command::Shape;

constexpr char kAll[] = "/api/2.1/unity-catalog/connections",
               kOne[] = "/api/2.1/unity-catalog/connections/{name}",
               kTest[] = "/api/2.1/unity-catalog/connections/{name}/test",
               kDiscover[] = "/api/2.1/unity-catalog/connections/{name}/discover",
               kTypes[] = "/api/2.1/unity-catalog/connection-types";

Argument TheConnection() { return InPath("NAME", "name", "of the connection"); }

Argument Options(std::string meaning) {
  auto argument = InBody("--option", "options", "NAME=VALUE", std::move(meaning));
  argument.kind = Kind::kPairs;
  return argument;
}

Argument Database(bool required) {
  auto argument = InBody("--database", "source_catalog", "DATABASE", "the database at the source");
  argument.required = required;
  return argument;
}

std::vector<Column> ConnectionColumns() {
  return {{"NAME", "name"},   {"TYPE", "connection_type"},
          {"URL", "url"},     {"CREDENTIAL", "credential_type"},
          {"OWNER", "owner"}, {"CREATED", "created_at"}};
}

std::vector<Command> Probes() {
  auto tables = InBody("--tables", "tables", "PATTERNS",
                       "only these: schema.table, * matches (separated by commas)");
  tables.kind = Kind::kList;
  return {
      {.resource = "connections",
       .verb = "test",
       .summary = "say what keeps a database from being ingested, with what mends it",
       .method = "POST",
       .path = kTest,
       .arguments = {TheConnection(), Database(false)},
       .shape = Shape::kListIn,
       .items = "findings",
       .columns =
           {{"FATAL", "fatal"}, {"TABLE", "table"}, {"FINDING", "message"}, {"REMEDY", "remedy"}},
       .example = "freshet connections test shop --database shop",
       .verdict = "passed"},
      {.resource = "connections",
       .verb = "discover",
       .summary = "list what there is to ingest",
       .method = "POST",
       .path = kDiscover,
       .arguments = {TheConnection(), Database(true), tables},
       .shape = Shape::kListIn,
       .items = "tables",
       .columns = {{"SCHEMA", "source_schema"},
                   {"TABLE", "source_table"},
                   {"ROWS", "rows_estimated"},
                   {"KEY", "primary_keys"},
                   {"INGESTIBLE", "ingestible"},
                   {"LOGGED", "logged"},
                   {"WHY", "message"}},
       .example = "freshet connections discover shop --database shop --tables 'public.*'"},
      {.resource = "connections",
       .verb = "types",
       .summary = "the types of connections, with their options",
       .method = "GET",
       .path = kTypes,
       .shape = Shape::kList,
       .items = "connection_types",
       .columns = {{"TYPE", "connection_type"}, {"SUPPORTED", "supported"}, {"OPTIONS", "options"}},
       .example = "freshet connections types"},
  };
}

}  // namespace

std::vector<Command> ConnectionCommands() {
  auto options = Options(
      "an option of its type (may be repeated); VALUE may be @FILE, and for secrets has to be");
  auto replaced = Options(
      "the options anew, all but the secrets that are not given (may be repeated); VALUE may be "
      "@FILE, and for secrets has to be");
  std::vector<Command> commands{
      {.resource = "connections",
       .verb = "list",
       .summary = "the connections",
       .method = "GET",
       .path = kAll,
       .arguments = {Limit()},
       .shape = Shape::kList,
       .items = "connections",
       .columns = ConnectionColumns(),
       .example = "freshet connections list"},
      {.resource = "connections",
       .verb = "get",
       .summary = "one connection; its secrets are not told",
       .method = "GET",
       .path = kOne,
       .arguments = {TheConnection()},
       .example = "freshet connections get shop"},
      {.resource = "connections",
       .verb = "create",
       .summary = "make a connection; its secrets are sealed",
       .method = "POST",
       .path = kAll,
       .arguments = {WholeBody(false, "name, connection_type, options and more"),
                     InBody("--name", "name", "NAME", "of the connection"),
                     InBody("--type", "connection_type", "TYPE",
                            "POSTGRESQL; 'freshet connections types' lists them"),
                     options, InBody("--comment", "comment", "TEXT", "about it")},
       .example = "freshet connections create --name shop --type POSTGRESQL --option host=db "
                  "--option user=ingest --option password=@password.txt"},
      {.resource = "connections",
       .verb = "update",
       .summary = "change a connection",
       .method = "PATCH",
       .path = kOne,
       .arguments = {TheConnection(), WholeBody(false, "what changes"), replaced,
                     InBody("--new-name", "new_name", "NAME", "another name"),
                     InBody("--owner", "owner", "PRINCIPAL", "another owner"),
                     InBody("--comment", "comment", "TEXT", "another comment")},
       .example = "freshet connections update shop --json @options.json"},
      {.resource = "connections",
       .verb = "delete",
       .summary = "delete a connection that no pipeline uses",
       .method = "DELETE",
       .path = kOne,
       .arguments = {TheConnection()},
       .example = "freshet connections delete shop",
       .done = "deleted"},
  };
  for (auto& probe : Probes()) commands.push_back(std::move(probe));
  return commands;
}

}  // namespace freshet::client
