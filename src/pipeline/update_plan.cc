// SPDX-License-Identifier: Apache-2.0
#include "pipeline/update_plan.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "pipeline/connection_settings.h"
#include "pipeline/destination.h"
#include "pipeline/run_options.h"
#include "store/local_file.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;
using catalog::Kind;

constexpr std::string_view kFile = "file://";

/// The schema with a place for its tables, made where it is missing.
Result<catalog::Securable> SchemaOf(catalog::Catalog& catalog, const DestinationSchema& destination,
                                    const std::string& owner) {
  auto found = catalog.Get(Kind::kSchema, {destination.catalog, destination.schema});
  if (!found.status().Is(ErrorClass::NOT_FOUND)) return found;
  FRESHET_TRY(auto parent, catalog.Get(Kind::kCatalog, {destination.catalog}));
  catalog::Securable schema{.kind = Kind::kSchema,
                            .path = {destination.catalog, destination.schema}};
  schema.facts["storage_location"] =
      parent.fact("storage_location") + "/" + EncodeName(destination.schema);
  return catalog.Create(std::move(schema), {}, owner);
}

/// The run writes below its own folder; where that is, the link says.
Status Link(const std::string& folder, const DestinationSchema& destination,
            const catalog::Securable& schema) {
  auto target = schema.fact("storage_location").substr(kFile.size());
  auto link = folder + "/" + EncodeName(destination.key());
  FRESHET_CHECK_OK(store::MakeFolders(target));
  std::error_code error;
  if (std::filesystem::read_symlink(link, error) == target) return Status::Ok();
  std::filesystem::create_directory_symlink(target, link, error);
  if (error) return store::FromErrno(error.value(), "cannot link the schema's folder", link);
  return store::SyncFolder(folder);
}

/// Which source tables a selection of destination tables means.
Status TakeSelection(const Definition& definition, const UpdateRequest& request,
                     IngestOptions* options) {
  if (request.full_refresh) {
    FRESHET_TRY(options->refresh, ParsePatterns({"*"}));
    return Status::Ok();
  }
  std::vector<std::string> patterns;
  for (const auto& selected : request.full_refresh_selection) {
    FRESHET_TRY(auto path, catalog::ParseFullName(selected, 0));
    auto table = catalog::Lower(path.back());
    auto fits = [&](const SpecObject& object) {
      auto name = object.destination_table.empty() ? object.source_table : object.destination_table;
      if (!object.source_table.empty() && catalog::Lower(name) != table) return false;
      // Whatever part of the qualified name was given.
      auto schema = catalog::ParseFullName(object.destination_schema, 2);
      for (size_t i = 1; schema.ok() && i < path.size() && i <= 2; ++i) {
        if (catalog::Lower(path[path.size() - 1 - i]) != schema->at(2 - i)) return false;
      }
      return path.size() <= 3;
    };
    bool found = false;
    for (const auto& object : definition.spec.objects) {
      if (!fits(object)) continue;
      found = true;
      auto source = object.source_table.empty() ? path.back() : object.source_table;
      patterns.push_back(object.source_schema + "." + source);
    }
    if (!found) {
      return Error(ErrorClass::INVALID_ARGUMENT,
                   "full_refresh_selection: no table of the pipeline is {}", selected);
    }
  }
  FRESHET_TRY(options->refresh, ParsePatterns(patterns));
  return Status::Ok();
}

/// As EncodeName wrote it.
std::string DecodeName(std::string_view text) {
  std::string name;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%' || i + 2 >= text.size()) {
      name += text[i];
      continue;
    }
    name += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
    i += 2;
  }
  return name;
}

}  // namespace

std::string FolderOfPipeline(const std::string& data, const std::string& pipeline) {
  return data + "/pipelines/" + pipeline;
}

Result<UpdateRequest> ReadUpdateRequest(std::string_view text) {
  auto json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Error(ErrorClass::INVALID_ARGUMENT, "the request is not an object");
  UpdateRequest request;
  for (const auto& [name, value] : json.items()) {
    bool empty = value.is_null() || value == false || (value.is_array() && value.empty());
    if (name == "cause" || name == "development" || empty) continue;
    if (name == "full_refresh" || name == "validate_only") {
      if (!value.is_boolean())
        return Error(ErrorClass::INVALID_ARGUMENT, "{} is not true or false", name);
      (name == "full_refresh" ? request.full_refresh : request.validate_only) = true;
    } else if (name == "full_refresh_selection") {
      for (const auto& each : value) {
        if (!value.is_array() || !each.is_string())
          return Error(ErrorClass::INVALID_ARGUMENT, "{} is not a list of texts", name);
        request.full_refresh_selection.push_back(each.get<std::string>());
      }
    } else if (name == "refresh_selection" || name == "reset_checkpoint_selection" ||
               name == "parameters" || name == "replace_where_overrides" || name == "rewind_spec" ||
               name == "refresh_selection_by_path" || name == "full_refresh_selection_by_path") {
      return Error(ErrorClass::UNSUPPORTED_FIELD, "{} is not supported yet", name);
    } else {
      return Error(ErrorClass::INVALID_ARGUMENT, "{} is not a field of this request", name);
    }
  }
  return request;
}

Result<Definition> DefinitionOf(const PipelineRecord& pipeline) {
  auto spec = Json::parse(pipeline.spec, nullptr, false);
  if (!spec.is_object() || !spec.contains("ingestion_definition"))
    return Error(ErrorClass::INVALID_ARGUMENT, "the pipeline has no ingestion_definition");
  return ReadDefinition(spec["ingestion_definition"].dump());
}

Result<IngestOptions> PlanUpdate(catalog::Catalog& catalog, const std::string& data,
                                 const PipelineRecord& pipeline, const Definition& definition,
                                 const UpdateRequest& request) {
  FRESHET_TRY(auto name, catalog::ParseFullName(definition.connection_name, 1));
  FRESHET_TRY(auto connection, catalog.Get(Kind::kConnection, name));
  FRESHET_TRY(auto secrets, catalog.SecretsOf(connection));
  IngestOptions options;
  options.directory = FolderOfPipeline(data, pipeline.id);
  options.database = definition.database;
  options.spec = definition.spec;
  options.continuous = pipeline.continuous;
  FRESHET_TRY(options.source,
              SettingsOf(connection, secrets, definition.database, data + "/connections"));
  FRESHET_CHECK_OK(CompleteSource(&options));
  FRESHET_CHECK_OK(TakeSelection(definition, request, &options));
  FRESHET_CHECK_OK(store::MakeFolders(options.directory));
  for (const auto& destination : definition.destinations) {
    FRESHET_TRY(auto schema, SchemaOf(catalog, destination, pipeline.creator));
    FRESHET_CHECK_OK(Link(options.directory, destination, schema));
  }
  return options;
}

std::optional<catalog::Path> TableAt(const Definition& definition, std::string_view folder) {
  auto slash = folder.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  for (const auto& each : definition.destinations) {
    if (EncodeName(each.key()) == folder.substr(0, slash))
      return catalog::Path{each.catalog, each.schema, DecodeName(folder.substr(slash + 1))};
  }
  return std::nullopt;
}

}  // namespace freshet::pipeline
