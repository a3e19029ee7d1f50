// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gateway_definition.h"

#include <functional>
#include <map>

#include "base/json.h"
#include "catalog/names.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;

/// Source: the published default.
constexpr std::string_view kVolumePrefix = "__databricks_ingestion_gateway_staging_data-";
constexpr char kField[] = "gateway_definition";

Status Wrong(std::string_view place, std::string_view why) {
  return Error(ErrorClass::INVALID_ARGUMENT, "{} {}", place, why);
}

/// Takes the value of one field.
using Take = std::function<Status(const Json& value, const std::string& place)>;

Take Into(std::string* text) {
  return [text](const Json& value, const std::string& place) {
    if (!value.is_string()) return Wrong(place, "is not a text");
    *text = value.get<std::string>();
    return Status::Ok();
  };
}

/// Null says nothing.
Status TakeFields(const Json& object, const std::string& place,
                  const std::map<std::string, Take>& fields) {
  if (!object.is_object()) return Wrong(place, "is not an object");
  for (const auto& [name, value] : object.items()) {
    auto field = fields.find(name);
    auto below = place + "." + name;
    if (field == fields.end()) {
      std::vector<std::string> names;
      for (const auto& [known, take] : fields) names.push_back(known);
      return Wrong(below, "is not a field of this request")
          .WithRemedy(fmt::format("The fields are: {}.", fmt::join(names, ", ")));
    }
    if (!value.is_null()) FRESHET_CHECK_OK(field->second(value, below));
  }
  return Status::Ok();
}

}  // namespace

Result<GatewayDefinition> ReadGateway(std::string_view text, const std::string& pipeline) {
  GatewayDefinition gateway;
  std::string ignored;
  auto parameters = [&](const Json& value, const std::string& place) {
    return TakeFields(value, place, {{"source_catalog", Into(&gateway.database)}});
  };
  FRESHET_CHECK_OK(TakeFields(ParseJson<Json>(text), kField,
                              {{"connection_name", Into(&gateway.connection_name)},
                               // Source: deprecated, and still sent beside the name.
                               {"connection_id", Into(&ignored)},
                               {"gateway_storage_catalog", Into(&gateway.storage.catalog)},
                               {"gateway_storage_schema", Into(&gateway.storage.schema)},
                               {"gateway_storage_name", Into(&gateway.volume)},
                               {"connection_parameters", parameters}}));
  if (gateway.connection_name.empty())
    return Wrong("gateway_definition.connection_name", "is missing: it says what is read");
  if (gateway.storage.catalog.empty())
    return Wrong("gateway_definition.gateway_storage_catalog",
                 "is missing: it says where the staging volume is");
  if (gateway.storage.schema.empty())
    return Wrong("gateway_definition.gateway_storage_schema",
                 "is missing: it says where the staging volume is");
  gateway.storage = {.catalog = catalog::Lower(gateway.storage.catalog),
                     .schema = catalog::Lower(gateway.storage.schema)};
  if (gateway.volume.empty()) gateway.volume = std::string(kVolumePrefix) + pipeline;
  return gateway;
}

bool IsGateway(const PipelineRecord& pipeline) {
  auto spec = ParseJson<Json>(pipeline.spec);
  // A client may say that there is none.
  return spec.is_object() && spec.contains(kField) && !spec[kField].is_null();
}

Result<GatewayDefinition> GatewayOf(const PipelineRecord& pipeline) {
  if (!IsGateway(pipeline))
    return Error(ErrorClass::INVALID_ARGUMENT, "the pipeline has no gateway_definition");
  return ReadGateway(JsonText(ParseJson<Json>(pipeline.spec)[kField]), pipeline.id);
}

}  // namespace freshet::pipeline
