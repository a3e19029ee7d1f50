// SPDX-License-Identifier: Apache-2.0
#include "pipeline/update_plan.h"

#include <filesystem>

#include "base/json.h"
#include "pipeline/connection_settings.h"
#include "pipeline/destination.h"
#include "pipeline/event_target.h"
#include "pipeline/gateway_place.h"
#include "pipeline/lineage.h"
#include "pipeline/run_options.h"
#include "store/local_file.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;
using catalog::Kind;

constexpr char kRefreshSelection[] = "refresh_selection",
               kFullRefreshSelection[] = "full_refresh_selection";

Result<std::vector<std::string>> TextsOf(const std::string& field, const Json& value) {
  std::vector<std::string> texts;
  for (const auto& each : value) {
    if (!value.is_array() || !each.is_string())
      return Error(ErrorClass::INVALID_ARGUMENT, "{} is not a list of texts", field);
    texts.push_back(each.get<std::string>());
  }
  return texts;
}

/// The run writes below its own folder; where that is, the link says.
Status Link(const std::string& folder, const DestinationSchema& destination,
            const catalog::Securable& schema) {
  auto target = schema.folder();
  auto link = folder + "/" + EncodeName(destination.key());
  FRESHET_CHECK_OK(store::MakeFolders(target));
  std::error_code error;
  if (std::filesystem::read_symlink(link, error) == target) return Status::Ok();
  std::filesystem::create_directory_symlink(target, link, error);
  if (error) return store::FromErrno(error.value(), "cannot link the schema's folder", link);
  return store::SyncFolder(folder);
}

/// Which source tables a selection of destination tables means.
Status TakeSelection(catalog::Catalog& catalog, const PipelineRecord& pipeline,
                     const Definition& definition, const UpdateRequest& request,
                     IngestOptions* options) {
  if (request.full_refresh) {
    FRESHET_TRY(options->refresh, ParsePatterns({"*"}));
    return Status::Ok();
  }
  FRESHET_TRY(auto tables, catalog.TablesOf(pipeline.id));
  FRESHET_TRY(auto selection, SelectionOf(definition, tables, request));
  for (const auto& name : selection.again) options->refresh.push_back(TablePattern::Of(name));
  // One that never ends would leave the others behind for good.
  if (!pipeline.continuous) options->spec.chosen = std::move(selection.tables);
  return Status::Ok();
}

/// Whether a bare or qualified name can be of this schema.
bool IsIn(const catalog::Path& name, const DestinationSchema& schema) {
  if (name.size() > 3) return false;
  if (name.size() > 1 && catalog::Lower(name[name.size() - 2]) != schema.schema) return false;
  return name.size() < 3 || catalog::Lower(name[0]) == schema.catalog;
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

Result<std::vector<record::TableName>> SelectedTable(const Definition& definition,
                                                     const std::vector<catalog::Securable>& tables,
                                                     std::string_view field,
                                                     const std::string& selected) {
  FRESHET_TRY(auto path, catalog::ParseFullName(selected, 0));
  auto name = catalog::Lower(path.back());
  std::vector<record::TableName> meant;
  for (const auto& object : definition.spec.objects) {
    FRESHET_TRY(auto place, catalog::ParseFullName(object.destination_schema, 2));
    const DestinationSchema schema{.catalog = place[0], .schema = place[1]};
    if (!IsIn(path, schema)) continue;
    auto own = object.destination_table.empty() ? object.source_table : object.destination_table;
    if (!object.source_table.empty()) {
      if (catalog::Lower(own) == name) meant.push_back({object.source_schema, object.source_table});
      continue;
    }
    for (const auto& table : tables) {
      if (IsEventLog(table)) continue;
      if (catalog::KeyOf(table.path) != catalog::KeyOf({schema.catalog, schema.schema, name}))
        continue;
      // It may be called otherwise at the source.
      auto lineage = LineageOf(table);
      if (!lineage) {
        meant.push_back({object.source_schema, table.name()});
      } else if (lineage->source.schema == object.source_schema) {
        meant.push_back(lineage->source);
      }
    }
  }
  if (!meant.empty()) return meant;
  return Error(ErrorClass::INVALID_ARGUMENT, "{}: no table of the pipeline is {}", field, selected)
      .WithRemedy("Name a table that it has ingested, as it is called at the destination.");
}

}  // namespace

std::string FolderOfPipeline(const std::string& data, const std::string& pipeline) {
  return data + "/pipelines/" + pipeline;
}

Result<UpdateRequest> ReadUpdateRequest(std::string_view text) {
  auto json = ParseJson<Json>(text);
  if (!json.is_object()) return Error(ErrorClass::INVALID_ARGUMENT, "the request is not an object");
  UpdateRequest request;
  for (const auto& [name, value] : json.items()) {
    bool empty = value.is_null() || value == false || (value.is_array() && value.empty());
    if (name == "cause" || name == "development" || empty) continue;
    if (name == "full_refresh" || name == "validate_only") {
      if (!value.is_boolean())
        return Error(ErrorClass::INVALID_ARGUMENT, "{} is not true or false", name);
      (name == "full_refresh" ? request.full_refresh : request.validate_only) = true;
    } else if (name == kFullRefreshSelection) {
      FRESHET_TRY(request.full_refresh_selection, TextsOf(name, value));
    } else if (name == kRefreshSelection) {
      FRESHET_TRY(request.refresh_selection, TextsOf(name, value));
    } else if (name == "reset_checkpoint_selection" || name == "parameters" ||
               name == "replace_where_overrides" || name == "rewind_spec" ||
               name == "refresh_selection_by_path" || name == "full_refresh_selection_by_path") {
      return Error(ErrorClass::UNSUPPORTED_FIELD, "{} is not supported yet", name);
    } else {
      return Error(ErrorClass::INVALID_ARGUMENT, "{} is not a field of this request", name);
    }
  }
  return request;
}

bool OnlyValidates(const UpdateRecord& update) {
  auto request = ReadUpdateRequest(update.request);
  return request.ok() && request->validate_only;
}

Result<Definition> DefinitionOf(const PipelineRecord& pipeline) {
  auto spec = ParseJson<Json>(pipeline.spec);
  if (!spec.is_object() || !spec.contains("ingestion_definition"))
    return Error(ErrorClass::INVALID_ARGUMENT, "the pipeline has no ingestion_definition");
  return ReadDefinition(JsonText(spec["ingestion_definition"]));
}

Result<catalog::Securable> MakeSchema(catalog::Catalog& catalog, const DestinationSchema& schema,
                                      const std::string& owner) {
  auto found = catalog.Get(Kind::kSchema, {schema.catalog, schema.schema});
  if (!found.status().Is(ErrorClass::NOT_FOUND)) return found;
  FRESHET_TRY(auto parent, catalog.Get(Kind::kCatalog, {schema.catalog}));
  catalog::Securable made{.kind = Kind::kSchema, .path = {schema.catalog, schema.schema}};
  made.facts["storage_location"] =
      parent.fact("storage_location") + "/" + EncodeName(schema.schema);
  auto created = catalog.Create(std::move(made), {}, owner);
  // Somebody else made it meanwhile.
  if (created.status().Is(ErrorClass::ALREADY_EXISTS))
    return catalog.Get(Kind::kSchema, {schema.catalog, schema.schema});
  return created;
}

Result<SourceSettings> ReachSource(catalog::Catalog& catalog, const std::string& data,
                                   const std::string& connection, const std::string& database) {
  FRESHET_TRY(auto name, catalog::ParseFullName(connection, 1));
  FRESHET_TRY(auto found, catalog.Get(Kind::kConnection, name));
  FRESHET_TRY(auto secrets, catalog.SecretsOf(found));
  return SettingsOf(found, secrets, database, data + "/connections");
}

Result<Selection> SelectionOf(const Definition& definition,
                              const std::vector<catalog::Securable>& tables,
                              const UpdateRequest& request) {
  Selection selection;
  for (const auto& selected : request.refresh_selection) {
    FRESHET_TRY(auto meant, SelectedTable(definition, tables, kRefreshSelection, selected));
    selection.tables.insert(meant.begin(), meant.end());
  }
  for (const auto& selected : request.full_refresh_selection) {
    FRESHET_TRY(auto meant, SelectedTable(definition, tables, kFullRefreshSelection, selected));
    selection.again.insert(meant.begin(), meant.end());
  }
  selection.tables.insert(selection.again.begin(), selection.again.end());
  return selection;
}

Result<IngestOptions> PlanUpdate(catalog::Catalog& catalog, const std::string& data,
                                 const PipelineRecord& pipeline, const Definition& definition,
                                 const UpdateRequest& request) {
  IngestOptions options;
  options.directory = FolderOfPipeline(data, pipeline.id);
  options.database = definition.database;
  options.spec = definition.spec;
  options.continuous = pipeline.continuous;
  if (definition.gateway.empty()) {
    FRESHET_TRY(options.source,
                ReachSource(catalog, data, definition.connection_name, definition.database));
    FRESHET_CHECK_OK(CompleteSource(&options));
  } else {
    options.halves = Halves::kApply;
    options.pipeline = pipeline.id;
    FRESHET_CHECK_OK(LinkStaging(data, pipeline.id, definition.gateway));
  }
  FRESHET_CHECK_OK(TakeSelection(catalog, pipeline, definition, request, &options));
  FRESHET_CHECK_OK(store::MakeFolders(options.directory));
  for (const auto& destination : definition.destinations) {
    FRESHET_TRY(auto schema, MakeSchema(catalog, destination, pipeline.creator));
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
