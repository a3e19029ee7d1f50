// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gateway_definition.h"

#include "base/json.h"
#include "catalog/names.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;

/// Source: the published default.
constexpr std::string_view kVolumePrefix = "__databricks_ingestion_gateway_staging_data-";
constexpr char kField[] = "gateway_definition";

Status Wrong(std::string_view field, std::string_view why) {
  return Error(ErrorClass::INVALID_ARGUMENT, "gateway_definition.{} {}", field, why);
}

Status TakeText(const Json& value, std::string_view field, std::string* text) {
  if (value.is_null()) return Status::Ok();
  if (!value.is_string()) return Wrong(field, "is not a text");
  *text = value.get<std::string>();
  return Status::Ok();
}

Status TakeParameters(const Json& parameters, std::string* database) {
  if (parameters.is_null()) return Status::Ok();
  if (!parameters.is_object()) return Wrong("connection_parameters", "is not an object");
  for (const auto& [name, value] : parameters.items()) {
    auto field = "connection_parameters." + name;
    if (name != "source_catalog") return Wrong(field, "is not a field of this request");
    FRESHET_CHECK_OK(TakeText(value, field, database));
  }
  return Status::Ok();
}

}  // namespace

Result<GatewayDefinition> ReadGateway(std::string_view text, const std::string& pipeline) {
  auto json = ParseJson<Json>(text);
  if (!json.is_object())
    return Error(ErrorClass::INVALID_ARGUMENT, "gateway_definition is not an object");
  GatewayDefinition gateway;
  std::string ignored;
  for (const auto& [name, value] : json.items()) {
    if (name == "connection_name") {
      FRESHET_CHECK_OK(TakeText(value, name, &gateway.connection_name));
    } else if (name == "connection_id") {
      // Source: deprecated, and still sent beside the name.
      FRESHET_CHECK_OK(TakeText(value, name, &ignored));
    } else if (name == "gateway_storage_catalog") {
      FRESHET_CHECK_OK(TakeText(value, name, &gateway.storage.catalog));
    } else if (name == "gateway_storage_schema") {
      FRESHET_CHECK_OK(TakeText(value, name, &gateway.storage.schema));
    } else if (name == "gateway_storage_name") {
      FRESHET_CHECK_OK(TakeText(value, name, &gateway.volume));
    } else if (name == "connection_parameters") {
      FRESHET_CHECK_OK(TakeParameters(value, &gateway.database));
    } else {
      return Wrong(name, "is not a field of this request");
    }
  }
  if (gateway.connection_name.empty())
    return Wrong("connection_name", "is missing: it says what is read");
  if (gateway.storage.catalog.empty())
    return Wrong("gateway_storage_catalog", "is missing: it says where the staging volume is");
  if (gateway.storage.schema.empty())
    return Wrong("gateway_storage_schema", "is missing: it says where the staging volume is");
  gateway.storage = {.catalog = catalog::Lower(gateway.storage.catalog),
                     .schema = catalog::Lower(gateway.storage.schema)};
  if (gateway.volume.empty()) gateway.volume = std::string(kVolumePrefix) + pipeline;
  return gateway;
}

bool IsGateway(const PipelineRecord& pipeline) {
  auto spec = ParseJson<Json>(pipeline.spec);
  return spec.is_object() && spec.contains(kField);
}

Result<GatewayDefinition> GatewayOf(const PipelineRecord& pipeline) {
  auto spec = ParseJson<Json>(pipeline.spec);
  if (!spec.is_object() || !spec.contains(kField))
    return Error(ErrorClass::INVALID_ARGUMENT, "the pipeline has no gateway_definition");
  return ReadGateway(JsonText(spec[kField]), pipeline.id);
}

}  // namespace freshet::pipeline
