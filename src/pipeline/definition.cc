// SPDX-License-Identifier: Apache-2.0
#include "pipeline/definition.h"

#include <algorithm>

#include "base/json.h"
#include "catalog/names.h"
#include "pipeline/spec_reader.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;

Status Missing(std::string_view field, std::string_view why) {
  return Error(ErrorClass::INVALID_ARGUMENT, "ingestion_definition.{} is missing: {}", field, why);
}

/// REQUIRES: ReadSpec took the definition, so that objects are objects and texts are texts.
std::string TextAt(const Json& object, const char* name) {
  auto found = object.find(name);
  return found == object.end() || !found->is_string() ? "" : found->get<std::string>();
}

Status TakeObject(const Json& object, size_t number, Definition* definition) {
  const auto& within = object.begin().value();
  auto place = fmt::format("objects[{}].{}", number, object.begin().key());
  DestinationSchema destination{.catalog = catalog::Lower(TextAt(within, "destination_catalog")),
                                .schema = catalog::Lower(TextAt(within, "destination_schema"))};
  if (destination.catalog.empty())
    return Missing(place + ".destination_catalog", "it says where the tables land");
  if (destination.schema.empty())
    return Missing(place + ".destination_schema", "it says where the tables land");
  auto database = TextAt(within, "source_catalog");
  if (database.empty()) return Missing(place + ".source_catalog", "it names the source's database");
  if (!definition->database.empty() && definition->database != database) {
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "ingestion_definition.{}.source_catalog is {}, but another object's is {}", place,
                 database, definition->database)
        .WithRemedy("Make a pipeline for each database.");
  }
  definition->database = database;
  definition->spec.objects[number].destination_schema = destination.key();
  if (std::ranges::find(definition->destinations, destination) == definition->destinations.end())
    definition->destinations.push_back(std::move(destination));
  return Status::Ok();
}

/// What it reads: exactly one of the two.
Status TakeSource(Json* json, Definition* definition) {
  constexpr char kGateway[] = "ingestion_gateway_id";
  definition->connection_name = TextAt(*json, "connection_name");
  if (auto gateway = json->find(kGateway); gateway != json->end()) {
    if (!gateway->is_string() && !gateway->is_null())
      return Error(ErrorClass::INVALID_ARGUMENT, "ingestion_definition.{} is not a text", kGateway);
    definition->gateway = TextAt(*json, kGateway);
    // The engine's own specification knows of no gateways.
    json->erase(kGateway);
  }
  bool one = definition->connection_name.empty() != definition->gateway.empty();
  if (definition->connection_name.empty() && !one)
    return Missing("connection_name", "it, or ingestion_gateway_id, says what is read");
  if (one) return Status::Ok();
  return Error(ErrorClass::INVALID_ARGUMENT,
               "ingestion_definition has both connection_name and ingestion_gateway_id")
      .WithRemedy("Leave connection_name out: the gateway has one.");
}

}  // namespace

std::string DestinationSchema::key() const { return catalog::FullName({catalog, schema}); }

Result<Definition> ReadDefinition(std::string_view text) {
  auto json = ParseJson<Json>(text);
  if (!json.is_object())
    return Error(ErrorClass::INVALID_ARGUMENT, "ingestion_definition is not an object");
  Definition definition;
  FRESHET_CHECK_OK(TakeSource(&json, &definition));
  FRESHET_CHECK_OK(ReadSpec(JsonText(json), "ingestion_definition", &definition.spec));
  // Source: the published default of connections to databases.
  if (definition.gateway.empty() && TextAt(json, "connector_type").empty())
    definition.spec.query_based = true;
  if (!definition.gateway.empty() && definition.spec.query_based) {
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "ingestion_definition is over a gateway, which captures from the log: it has no "
                 "cursor_columns, and its connector_type is CDC");
  }
  if (definition.spec.objects.empty()) return Missing("objects", "they say what is ingested");
  size_t number = 0;
  for (const auto& object : json["objects"])
    FRESHET_CHECK_OK(TakeObject(object, number++, &definition));
  for (const auto& database : definition.spec.catalogs) {
    if (database == definition.database) continue;
    return Error(
        ErrorClass::INVALID_ARGUMENT,
        "ingestion_definition.source_configurations is of the database {}, the objects of {}",
        database, definition.database);
  }
  return definition;
}

}  // namespace freshet::pipeline
