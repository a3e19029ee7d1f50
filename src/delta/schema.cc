// SPDX-License-Identifier: Apache-2.0
// Schema JSON <-> columns. Source: Delta protocol, "Schema
// Serialization Format" and "Column Mapping".
#include <algorithm>
#include <charconv>

#include "delta/action_json.h"
#include "delta/table.h"

namespace freshet::delta {
namespace {

constexpr char kMappingId[] = "delta.columnMapping.id";
constexpr char kPhysicalName[] = "delta.columnMapping.physicalName";
constexpr char kOwnId[] = "freshet.id";

std::shared_ptr<arrow::DataType> SimpleType(const std::string& name) {
  static const std::map<std::string, std::shared_ptr<arrow::DataType>> kTypes = {
      {"boolean", arrow::boolean()},
      {"byte", arrow::int8()},
      {"short", arrow::int16()},
      {"integer", arrow::int32()},
      {"long", arrow::int64()},
      {"float", arrow::float32()},
      {"double", arrow::float64()},
      {"string", arrow::utf8()},
      {"binary", arrow::binary()},
      {"date", arrow::date32()},
      {"timestamp", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")},
      {"timestamp_ntz", arrow::timestamp(arrow::TimeUnit::MICRO)},
  };
  auto found = kTypes.find(name);
  return found == kTypes.end() ? nullptr : found->second;
}

std::shared_ptr<arrow::DataType> DecimalType(std::string_view name) {
  if (name == "decimal") return arrow::decimal128(10, 0);
  if (!name.starts_with("decimal(") || !name.ends_with(")")) return nullptr;
  int precision = 0, scale = 0;
  const char* end = name.data() + name.size();
  auto first = std::from_chars(name.data() + 8, end, precision);
  if (first.ec != std::errc() || *first.ptr != ',') return nullptr;
  auto second = std::from_chars(first.ptr + 1, end, scale);
  if (second.ec != std::errc() || *second.ptr != ')') return nullptr;
  if (precision < 1 || precision > 38 || scale < 0 || scale > precision) return nullptr;
  return arrow::decimal128(precision, scale);
}

Result<std::shared_ptr<arrow::DataType>> TypeOf(const Json& json) {
  if (json.is_string()) {
    const auto name = json.get<std::string>();
    if (auto type = SimpleType(name)) return type;
    if (auto type = DecimalType(name)) return type;
  }
  if (json.is_object() && json.value("type", Json()) == "array" && json.contains("elementType")) {
    FRESHET_TRY(auto element, TypeOf(json["elementType"]));
    return arrow::list(std::move(element));
  }
  return Error(ErrorClass::DELTA_UNSUPPORTED, "a column type that is not read: {}", json.dump());
}

Json TypeJson(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
      return "boolean";
    case arrow::Type::INT8:
      return "byte";
    case arrow::Type::INT16:
      return "short";
    case arrow::Type::INT32:
      return "integer";
    case arrow::Type::INT64:
      return "long";
    case arrow::Type::FLOAT:
      return "float";
    case arrow::Type::DOUBLE:
      return "double";
    case arrow::Type::STRING:
      return "string";
    case arrow::Type::BINARY:
      return "binary";
    case arrow::Type::DATE32:
      return "date";
    case arrow::Type::TIMESTAMP:
      return static_cast<const arrow::TimestampType&>(type).timezone().empty() ? "timestamp_ntz"
                                                                               : "timestamp";
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
      return fmt::format("decimal({},{})", decimal.precision(), decimal.scale());
    }
    case arrow::Type::LIST:
      return {{"type", "array"},
              {"elementType", TypeJson(*static_cast<const arrow::ListType&>(type).value_type())},
              {"containsNull", true}};
    default:
      FRESHET_ASSERT(false, "no Delta type for {}", type.ToString());
  }
}

Result<Column> ColumnOf(const Json& field) {
  const bool formed = field.is_object() && field.contains("name") && field["name"].is_string() &&
                      field.contains("type");
  if (!formed)
    return Error(ErrorClass::DELTA_CORRUPT, "a field of the schema has no name or no type");
  Column column;
  column.name = column.physical = field["name"].get<std::string>();
  auto type = TypeOf(field["type"]);
  if (!type.ok()) return type.status().With("column", column.name);
  column.type = *type;
  column.nullable = !field.contains("nullable") || field["nullable"] != false;
  if (!field.contains("metadata") || !field["metadata"].is_object()) return column;
  Json other = Json::object();
  for (const auto& [name, value] : field["metadata"].items()) {
    if (name == kPhysicalName && value.is_string()) {
      column.physical = value.get<std::string>();
    } else if ((name == kMappingId || name == kOwnId) && value.is_number_integer()) {
      column.id = record::ColumnId(value.get<int32_t>());
    } else {
      other[name] = value;
    }
  }
  if (!other.empty()) column.other_metadata_json = other.dump();
  return column;
}

}  // namespace

std::string TypeName(const arrow::DataType& type) {
  if (type.id() == arrow::Type::LIST)
    return "ARRAY<" + TypeName(*static_cast<const arrow::ListType&>(type).value_type()) + ">";
  auto name = TypeJson(type).get<std::string>();
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return name;
}

Result<std::vector<Column>> ColumnsFromJson(std::string_view schema_json) {
  const Json schema = Json::parse(schema_json, nullptr, false);
  if (!schema.is_object() || !schema.contains("fields") || !schema["fields"].is_array()) {
    return Error(ErrorClass::DELTA_CORRUPT, "the schema is not a JSON object with fields");
  }
  std::vector<Column> columns;
  for (const auto& field : schema["fields"]) {
    FRESHET_TRY(auto column, ColumnOf(field));
    columns.push_back(std::move(column));
  }
  return columns;
}

std::string ColumnsToJson(const std::vector<Column>& columns, bool column_mapping) {
  Json fields = Json::array();
  for (const auto& column : columns) {
    Json metadata = Json::object();
    if (!column.other_metadata_json.empty())
      metadata = Json::parse(column.other_metadata_json, nullptr, false);
    if (column_mapping) {
      metadata[kMappingId] = column.id.value();
      metadata[kPhysicalName] = column.physical;
    } else if (column.id.value() > 0) {
      metadata[kOwnId] = column.id.value();
    }
    fields.push_back({{"name", column.name},
                      {"type", TypeJson(*column.type)},
                      {"nullable", column.nullable},
                      {"metadata", std::move(metadata)}});
  }
  return Json{{"type", "struct"}, {"fields", std::move(fields)}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
}

bool IsPlainName(std::string_view name) {
  return name.find_first_of(" ,;{}()\n\t=") == std::string_view::npos;
}

}  // namespace freshet::delta
