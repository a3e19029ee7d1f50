// SPDX-License-Identifier: Apache-2.0
// Catalogs, schemas, tables and volumes. Source: the published Unity Catalog API, 2.1, under the
// names of its own command line.
#include "client/command.h"

namespace freshet::client {
namespace {

using Kind = Argument::Kind;
using Place = Argument::Place;
using Shape = Command::Shape;

constexpr char kRoot[] = "/api/2.1/unity-catalog/";

/// A kind of what the catalog names; its commands differ in little.
struct Named {
  std::string resource, singular;
  std::string full_name;  // how one is named
};

Argument TheOne(const Named& kind) {
  return InPath(kind.full_name, "name", "of the " + kind.singular);
}

Argument Comment() { return InBody("--comment", "comment", "TEXT", "about it"); }

Argument Properties() {
  auto argument =
      InBody("--property", "properties", "NAME=VALUE", "a property of it (may be repeated)");
  argument.kind = Kind::kPairs;
  return argument;
}

Argument StorageRoot() {
  return InBody("--storage-root", "storage_root", "URI",
                "file://…: where its tables lie, for administrators");
}

Command Of(const Named& kind, std::string verb, std::string method, std::string summary) {
  Command command{.resource = kind.resource,
                  .verb = std::move(verb),
                  .summary = std::move(summary),
                  .method = std::move(method),
                  .path = kRoot + kind.resource};
  command.example = fmt::format("freshet {} {}", command.resource, command.verb);
  return command;
}

Command List(const Named& kind, std::vector<Argument> within, std::vector<Column> columns,
             const std::string& example) {
  auto command = Of(kind, "list", "GET", "the " + kind.resource);
  for (auto& argument : within) {
    argument.required = true;
    command.arguments.push_back(std::move(argument));
  }
  command.arguments.push_back(Limit());
  command.shape = Shape::kList;
  command.items = kind.resource;
  command.columns = std::move(columns);
  command.example += example;
  return command;
}

/// A command about one that is named.
Command About(const Named& kind, std::string verb, std::string method, std::string summary) {
  auto command = Of(kind, std::move(verb), std::move(method), std::move(summary));
  command.path += "/{name}";
  command.arguments = {TheOne(kind)};
  command.example += kind.singular == "catalog"  ? " main"
                     : kind.singular == "schema" ? " main.sales"
                     : kind.singular == "table"  ? " main.sales.orders"
                                                 : " main.sales.files";
  return command;
}

Command Get(const Named& kind) { return About(kind, "get", "GET", "one " + kind.singular); }

Command Update(const Named& kind, std::vector<Argument> more) {
  auto command = About(kind, "update", "PATCH", "change a " + kind.singular);
  command.arguments.push_back(WholeBody(false, "what changes"));
  command.arguments.push_back(InBody("--owner", "owner", "PRINCIPAL", "another owner"));
  command.arguments.push_back(InBody("--comment", "comment", "TEXT", "another comment"));
  for (auto& argument : more) command.arguments.push_back(std::move(argument));
  command.example += " --comment 'what sold'";
  return command;
}

Command Delete(const Named& kind, bool forced) {
  auto command = About(kind, "delete", "DELETE", "delete a " + kind.singular);
  if (forced)
    command.arguments.push_back(Flag(Place::kQuery, "--force", "force", "with all that is in it"));
  command.done = "deleted";
  return command;
}

std::vector<Command> OfCatalogs() {
  const Named kind{"catalogs", "catalog", "NAME"};
  auto create = Of(kind, "create", "POST", "make a catalog");
  create.arguments = {InBody("NAME", "name", "", "of the catalog"), Comment(), StorageRoot(),
                      Properties()};
  create.example += " lake --comment 'all of it'";
  return {List(kind, {},
               {{"NAME", "name"},
                {"OWNER", "owner"},
                {"STORAGE", "storage_location"},
                {"COMMENT", "comment"}},
               ""),
          Get(kind), create, Update(kind, {Properties()}), Delete(kind, true)};
}

std::vector<Command> OfSchemas() {
  const Named kind{"schemas", "schema", "CATALOG.SCHEMA"};
  auto create = Of(kind, "create", "POST", "make a schema");
  create.arguments = {InBody("NAME", "name", "", "of the schema"),
                      InBody("CATALOG", "catalog_name", "", "that it is in"), Comment(),
                      StorageRoot(), Properties()};
  create.example += " sales main";
  return {List(kind, {InQuery("CATALOG", "catalog_name", "", "that they are in")},
               {{"FULL NAME", "full_name"},
                {"OWNER", "owner"},
                {"STORAGE", "storage_location"},
                {"COMMENT", "comment"}},
               " main"),
          Get(kind), create, Update(kind, {Properties()}), Delete(kind, true)};
}

std::vector<Argument> Within() {
  return {InQuery("CATALOG", "catalog_name", "", "that they are in"),
          InQuery("SCHEMA", "schema_name", "", "of the catalog")};
}

std::vector<Command> OfTables() {
  const Named kind{"tables", "table", "CATALOG.SCHEMA.TABLE"};
  auto list = List(kind, Within(),
                   {{"FULL NAME", "full_name"},
                    {"TYPE", "table_type"},
                    {"OWNER", "owner"},
                    {"PIPELINE ID", "pipeline_id"},
                    {"STORAGE", "storage_location"}},
                   " main sales");
  list.arguments.push_back(
      Flag(Place::kQuery, "--omit-columns", "omit_columns", "without the tables' columns"));
  auto exists = About(kind, "exists", "GET", "whether there is such a table");
  exists.path += "/exists";
  return {list, Get(kind), exists};
}

std::vector<Command> OfVolumes() {
  const Named kind{"volumes", "volume", "CATALOG.SCHEMA.VOLUME"};
  auto create = Of(kind, "create", "POST", "make a volume");
  auto type =
      InBody("--type", "volume_type", "TYPE", "MANAGED (where it is not given) or EXTERNAL");
  type.values = {"MANAGED", "EXTERNAL"};
  create.arguments = {InBody("CATALOG", "catalog_name", "", "that it is in"),
                      InBody("SCHEMA", "schema_name", "", "of the catalog"),
                      InBody("NAME", "name", "", "of the volume"),
                      type,
                      InBody("--storage-location", "storage_location", "URI",
                             "file://…: where an external one lies"),
                      Comment()};
  create.example += " main sales files";
  return {List(kind, Within(),
               {{"FULL NAME", "full_name"},
                {"TYPE", "volume_type"},
                {"OWNER", "owner"},
                {"STORAGE", "storage_location"},
                {"COMMENT", "comment"}},
               " main sales"),
          Get(kind), create,
          Update(kind, {InBody("--new-name", "new_name", "NAME", "another name")}),
          Delete(kind, false)};
}

}  // namespace

std::vector<Command> CatalogCommands() {
  std::vector<Command> all;
  for (auto* commands : {OfCatalogs, OfSchemas, OfTables, OfVolumes}) {
    for (auto& command : commands()) all.push_back(std::move(command));
  }
  return all;
}

}  // namespace freshet::client
