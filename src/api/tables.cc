// SPDX-License-Identifier: Apache-2.0
// Tables, read: what they are comes from their own Delta logs. Source: the published Unity Catalog
// API, 2.1.
#include <array>

#include "api/securables.h"
#include "delta/table.h"
#include "store/local_reader.h"

namespace freshet::api {
namespace {

using catalog::Kind;
using catalog::Securable;

struct TypeName {
  std::string_view delta, catalog, text;
};
/// Source: Delta's primitive types, and the catalog's names for them.
constexpr std::array<TypeName, 13> kTypeNames{{{"boolean", "BOOLEAN", "boolean"},
                                               {"byte", "BYTE", "tinyint"},
                                               {"short", "SHORT", "smallint"},
                                               {"integer", "INT", "int"},
                                               {"long", "LONG", "bigint"},
                                               {"float", "FLOAT", "float"},
                                               {"double", "DOUBLE", "double"},
                                               {"date", "DATE", "date"},
                                               {"timestamp", "TIMESTAMP", "timestamp"},
                                               {"timestamp_ntz", "TIMESTAMP_NTZ", "timestamp_ntz"},
                                               {"string", "STRING", "string"},
                                               {"binary", "BINARY", "binary"},
                                               {"variant", "VARIANT", "variant"}}};

/// Return the type as SQL writes it; throws what the library does at what is no type.
std::string TypeText(const Json& type) {
  if (type.is_string()) {
    for (const auto& each : kTypeNames) {
      if (type == each.delta) return std::string(each.text);
    }
    return type.get<std::string>();
  }
  auto kind = type.value("type", "");
  if (kind == "array") return "array<" + TypeText(type.at("elementType")) + ">";
  if (kind == "map")
    return "map<" + TypeText(type.at("keyType")) + "," + TypeText(type.at("valueType")) + ">";
  std::string text;
  for (const auto& field : type.value("fields", Json::array())) {
    text += (text.empty() ? "" : ",") + field.value("name", "") + ":" + TypeText(field.at("type"));
  }
  return "struct<" + text + ">";
}

std::string TypeNameOf(const Json& type) {
  if (!type.is_string()) {
    auto kind = type.value("type", "");
    return kind == "array" ? "ARRAY" : kind == "map" ? "MAP" : "STRUCT";
  }
  for (const auto& each : kTypeNames) {
    if (type == each.delta) return std::string(each.catalog);
  }
  return "DECIMAL";
}

Json ColumnToJson(const Json& field, int position) {
  const auto& type = field.at("type");
  auto text = TypeText(type);
  Json column{{"name", field.value("name", "")},
              {"type_name", TypeNameOf(type)},
              {"type_text", text},
              {"type_json", JsonText(field)},
              {"position", position},
              {"nullable", field.value("nullable", true)}};
  int precision = 0, scale = 0;
  if (std::sscanf(text.c_str(), "decimal(%d,%d)", &precision, &scale) == 2) {
    column["type_precision"] = precision;
    column["type_scale"] = scale;
  }
  return column;
}

Json TableToJson(const Context& context, const Securable& table) {
  Json json{{"name", table.name()},          {"catalog_name", table.path[0]},
            {"schema_name", table.path[1]},  {"table_type", table.fact("table_type")},
            {"data_source_format", "DELTA"}, {"storage_location", table.fact("storage_location")},
            {"table_id", table.id}};
  if (auto pipeline = table.fact("pipeline_id"); !pipeline.empty()) json["pipeline_id"] = pipeline;
  AddCommon(context, table, &json);
  return json;
}

/// Add the columns and properties that the table's log says; a table that has none yet has none.
Status AddContents(const Securable& table, Json* json) {
  auto snapshot = delta::Table(store::OpenLocalReader(table.folder())).Latest(nullptr);
  (*json)["columns"] = Json::array();
  if (snapshot.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();
  FRESHET_CHECK_OK(snapshot);
  try {
    auto columns = Json::array();
    auto schema = ParseJsonOrThrow<Json>((*snapshot)->metadata.schema_json);
    for (const auto& field : schema.at("fields"))
      columns.push_back(ColumnToJson(field, static_cast<int>(columns.size())));
    (*json)["columns"] = columns;
  } catch (const std::exception& error) {
    return Error(ErrorClass::DELTA_CORRUPT, "the table's schema is none: {}", error.what());
  }
  auto properties = Json::object();
  for (const auto& [name, value] : (*snapshot)->metadata.configuration) properties[name] = value;
  (*json)["properties"] = properties;
  return Status::Ok();
}

Result<Securable> Named(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, catalog::ParseFullName(request.part("name"), 3));
  return context.catalog->Get(Kind::kTable, path);
}

Result<Json> GetTable(const Context& context, const Request& request) {
  FRESHET_TRY(auto table, Named(context, request));
  auto json = TableToJson(context, table);
  FRESHET_CHECK_OK(AddContents(table, &json));
  return json;
}

/// One that is not there cannot be asked for its own rights: its schema's are what counts.
Result<Verdict> MayLookFor(const Context& context, const Request& request) {
  FRESHET_TRY(auto path, catalog::ParseFullName(request.part("name"), 3));
  auto verdict =
      CheckPrivilege(context, request.user, "USE_SCHEMA", Kind::kSchema, {path[0], path[1]});
  // No schema, no table: that is an answer.
  if (verdict.status().Is(ErrorClass::NOT_FOUND)) return Verdict();
  return verdict;
}

Result<Json> TableExists(const Context& context, const Request& request) {
  auto table = Named(context, request);
  if (!table.ok() && !table.status().Is(ErrorClass::NOT_FOUND)) return table.status();
  return Json{{"table_exists", table.ok()}};
}

Result<Json> ListTables(const Context& context, const Request& request) {
  FRESHET_TRY(auto page, PageOf(request));
  FRESHET_TRY(auto without, request.FlagParameter("omit_columns", false));
  FRESHET_TRY(auto found,
              context.catalog->List(
                  Kind::kTable,
                  {request.parameter("catalog_name"), request.parameter("schema_name")}, page));
  FRESHET_TRY(found.items, context.access->Visible(request.user, std::move(found.items)));
  auto json = PageToJson(context, found, "tables", TableToJson);
  for (size_t i = 0; i < found.items.size() && !without; ++i) {
    // One that cannot be read does not hide the others: it says why when it is asked for alone.
    auto& each = json["tables"][i];
    if (!AddContents(found.items[i], &each).ok()) each.erase("columns");
  }
  return json;
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
Column = {name: text, type_name: text, type_text: text, type_json: text, position: count, nullable: flag,
  type_precision?: count, type_scale?: count}
Table = {name: text, catalog_name: text, schema_name: text, table_type: text, data_source_format: text,
  storage_location: text, table_id: text, pipeline_id?: text, columns?: [Column], ...Securable}

tables.list(catalog_name: text, schema_name: text, max_results?: count, page_token?: text, omit_columns?: flag):
  {tables: [Table], ...Page} -- Lists a schema's tables.
tables.get(): Table -- Tells of a table.
tables.exists(): {table_exists: flag} -- Tells whether there is such a table.
)";

}  // namespace

void AddTables(const Context& context, Router* router) {
  router->Describe(kDescription);
  const RouteAdder add(context, router);
  add("GET", "/api/2.1/unity-catalog/tables", "tables.list", Rule::Anyone(), ListTables);
  add("GET", "/api/2.1/unity-catalog/tables/{name}", "tables.get", Rule::Seeing(Kind::kTable),
      GetTable);
  add("GET", "/api/2.1/unity-catalog/tables/{name}/exists", "tables.exists", Rule::Of(MayLookFor),
      TableExists);
}

}  // namespace freshet::api
