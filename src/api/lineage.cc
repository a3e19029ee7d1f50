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

Result<Verdict> MaySee(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, AskedTable(request));
  FRESHET_TRY(auto missing, context.access->CheckVisible(request.user, Kind::kTable, path));
  return VerdictOf(missing);
}

/// The table at the source, named as clients expect it: its database is its catalog.
Json SourceToJson(const pipeline::Lineage& lineage) {
  return {{"name", lineage.source.table},          {"catalog_name", lineage.database},
          {"schema_name", lineage.source.schema},  {"table_type", "EXTERNAL"},
          {"connection_name", lineage.connection}, {"lineage_timestamp", lineage.at}};
}

Result<Json> TableLineage(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, AskedTable(request));
  FRESHET_TRY(auto table, context.catalog->Get(Kind::kTable, path));
  Json answer{{"upstreams", Json::array()}, {"downstreams", Json::array()}};
  auto lineage = pipeline::LineageOf(table);
  if (!lineage) return answer;
  Json upstream{{"tableInfo", SourceToJson(*lineage)}};
  FRESHET_TRY(auto with_entities, request.FlagParameter("include_entity_lineage", true));
  if (with_entities) {
    upstream["pipelineInfos"] = Json::array({{{"workspace_id", context.workspace_id},
                                              {"pipeline_id", table.fact("pipeline_id")},
                                              {"lineage_timestamp", lineage->at}}});
  }
  answer["upstreams"].push_back(std::move(upstream));
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

lineage.table(table_name: text, include_entity_lineage?: flag): {upstreams: [LineageEnd], downstreams: [LineageEnd]} -- Tells where a table comes from.
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
