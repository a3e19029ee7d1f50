// SPDX-License-Identifier: Apache-2.0
// Where tables and their columns come from, as the pipelines that made them know it. Source: the
// lineage API as its clients use it.
#include <algorithm>
#include <array>

#include "api/securables.h"
#include "delta/table.h"
#include "pipeline/lineage.h"
#include "store/local_reader.h"

namespace freshet::api {
namespace {

using catalog::Kind;
using catalog::Securable;

/// Clients send what they ask for in the query, or as a body.
Result<std::string> Asked(const Request& request, const std::string& name) {
  auto text = request.parameter(name);
  if (!text.empty()) return text;
  FRESHET_TRY(auto body, ParseBody(request.body));
  auto field = body.find(name);
  if (field != body.end() && field->is_string() && *field != "") return field->get<std::string>();
  return Error(ErrorClass::INVALID_ARGUMENT, "{} is missing", name);
}

Result<catalog::Path> AskedTable(const Request& request) {
  FRESHET_TRY(auto name, Asked(request, "table_name"));
  return catalog::ParseFullName(name, 3);
}

/// A table at a source is seen by whoever sees the connection to it.
Result<Verdict> MaySee(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, AskedTable(request));
  if (auto name = request.parameter("connection_name"); !name.empty()) {
    FRESHET_TRY(auto connection, catalog::ParseFullName(name, 1));
    FRESHET_TRY(auto hidden,
                context.access->CheckVisible(request.user, Kind::kConnection, connection));
    return VerdictOf(hidden);
  }
  FRESHET_TRY(auto missing, context.access->CheckVisible(request.user, Kind::kTable, path));
  return VerdictOf(missing);
}

/// The table at the source, named as clients expect it: its database is its catalog.
Json SourceToJson(const pipeline::Lineage& lineage) {
  return {{"name", lineage.source.table},          {"catalog_name", lineage.database},
          {"schema_name", lineage.source.schema},  {"table_type", "EXTERNAL"},
          {"connection_name", lineage.connection}, {"lineage_timestamp", lineage.at}};
}

Json DestinationToJson(const Securable& table, const pipeline::Lineage& lineage) {
  return {{"name", table.name()},
          {"catalog_name", table.path[0]},
          {"schema_name", table.path[1]},
          {"table_type", table.fact("table_type")},
          {"lineage_timestamp", lineage.at}};
}

/// One end of the way that a table takes, and the pipeline that brings it.
Json EndToJson(const Context& context, Json info, const Securable& table,
               const pipeline::Lineage& lineage, bool with_entities) {
  Json end{{"tableInfo", std::move(info)}};
  if (with_entities) {
    end["pipelineInfos"] = Json::array({{{"workspace_id", context.workspace_id},
                                         {"pipeline_id", table.fact("pipeline_id")},
                                         {"lineage_timestamp", lineage.at}}});
  }
  return end;
}

/// The tables of the catalog that come from one at the source, as far as the caller sees them.
Result<Json> DownstreamsOf(const Context& context, const Request& request,
                           const catalog::Path& path, bool with_entities) {
  pipeline::Lineage source{.connection = request.parameter("connection_name"),
                           .database = path[0],
                           .source = {path[1], path[2]}};
  FRESHET_TRY(auto tables, pipeline::TablesFrom(*context.catalog, source));
  FRESHET_TRY(tables, context.access->Visible(request.user, std::move(tables)));
  auto list = Json::array();
  for (const auto& table : tables) {
    auto lineage = *pipeline::LineageOf(table);
    list.push_back(
        EndToJson(context, DestinationToJson(table, lineage), table, lineage, with_entities));
  }
  return list;
}

Result<Json> TableLineage(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, AskedTable(request));
  FRESHET_TRY(auto with_entities, request.FlagParameter("include_entity_lineage", true));
  Json answer{{"upstreams", Json::array()}, {"downstreams", Json::array()}};
  if (!request.parameter("connection_name").empty()) {
    FRESHET_TRY(answer["downstreams"], DownstreamsOf(context, request, path, with_entities));
    return answer;
  }
  FRESHET_TRY(auto table, context.catalog->Get(Kind::kTable, path));
  if (auto lineage = pipeline::LineageOf(table)) {
    answer["upstreams"].push_back(
        EndToJson(context, SourceToJson(*lineage), table, *lineage, with_entities));
  }
  return answer;
}

/// Whether the table has the column, and has it from its source.
Result<bool> ComesFromSource(const Securable& table, const std::string& column) {
  auto snapshot = delta::Table(store::OpenLocalReader(table.folder())).Latest(nullptr);
  FRESHET_CHECK_OK(snapshot);
  auto schema = ParseJson<Json>((*snapshot)->metadata.schema_json);
  if (!schema.is_object() || !schema.contains("fields"))
    return Error(ErrorClass::DELTA_CORRUPT, "the table's schema is none: {}", table.folder());
  const auto& fields = schema["fields"];
  bool there = std::ranges::any_of(fields, [&](const Json& field) {
    return catalog::Lower(field.value("name", "")) == catalog::Lower(column);
  });
  if (!there) {
    return Error(ErrorClass::NOT_FOUND, "Column '{}' does not exist in '{}'.", column,
                 catalog::FullName(table.path));
  }
  return !pipeline::IsOwnColumn(column);
}

Result<Json> ColumnLineage(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, AskedTable(request));
  FRESHET_TRY(auto column, Asked(request, "column_name"));
  FRESHET_TRY(auto table, context.catalog->Get(Kind::kTable, path));
  Json answer{{"upstream_cols", Json::array()}, {"downstream_cols", Json::array()}};
  FRESHET_TRY(bool sourced, ComesFromSource(table, column));
  auto lineage = pipeline::LineageOf(table);
  if (!sourced || !lineage) return answer;
  // A column keeps its name on its way, and follows when it is renamed.
  answer["upstream_cols"].push_back({{"name", column},
                                     {"catalog_name", lineage->database},
                                     {"schema_name", lineage->source.schema},
                                     {"table_name", lineage->source.table},
                                     {"table_type", "EXTERNAL"},
                                     {"lineage_timestamp", lineage->at}});
  return answer;
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
LineageTable = {name: text, catalog_name: text, schema_name: text, table_type: text, connection_name?: text,
  lineage_timestamp: number}
LineageEnd = {tableInfo: LineageTable,
  pipelineInfos?: [{workspace_id: text, pipeline_id: text, lineage_timestamp: number}]}
LineageColumn = {name: text, catalog_name: text, schema_name: text, table_name: text, table_type: text,
  lineage_timestamp: number}

lineage.table(table_name: text, connection_name?: text, include_entity_lineage?: flag):
  {upstreams: [LineageEnd], downstreams: [LineageEnd]} -- Tells where a table comes from, or what comes of one at a source.
lineage.column(table_name: text, column_name: text): {upstream_cols: [LineageColumn], downstream_cols: [LineageColumn]} -- Tells where a column comes from.
)";

}  // namespace

void AddLineage(const Context& context, Router* router) {
  router->Describe(kDescription);
  const RouteAdder add(context, router);
  add("GET", "/api/2.0/lineage-tracking/table-lineage", "lineage.table", Rule::Of(MaySee),
      TableLineage);
  add("GET", "/api/2.0/lineage-tracking/column-lineage", "lineage.column", Rule::Of(MaySee),
      ColumnLineage);
}

}  // namespace freshet::api
