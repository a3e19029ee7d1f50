// SPDX-License-Identifier: Apache-2.0
// Schema JSON <-> columns. Source: Delta protocol, "Schema
// Serialization Format" and "Column Mapping".
#include <arrow/util/key_value_metadata.h>

#include <algorithm>
#include <charconv>

#include "delta/action_json.h"
#include "delta/table.h"
#include "record/field_ids.h"

namespace freshet::delta {
namespace {

constexpr char kMappingId[] = "delta.columnMapping.id";
constexpr char kPhysicalName[] = "delta.columnMapping.physicalName";
constexpr char kOwnId[] = "freshet.id";
/// Spark's name for it, and that the comment beside it is the source's.
constexpr char kComment[] = "comment";
constexpr char kCommented[] = "freshet.commented";

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

/// Under this key a field inside a column keeps its Delta metadata, JSON, as long as it is a field
/// of Arrow's.
constexpr char kFieldMetadata[] = "freshet.delta";
constexpr int kDepthMax = 64;

Result<std::shared_ptr<arrow::DataType>> TypeOf(const Json& json, int depth);

/// A field inside a column. Its name in data files must be its name: nothing of ours maps it, and a
/// rename by another engine is refused.
Result<std::shared_ptr<arrow::Field>> FieldOf(const Json& json, int depth) {
  if (!json.is_object() || !json.contains("name") || !json["name"].is_string() ||
      !json.contains("type"))
    return Error(ErrorClass::DELTA_CORRUPT, "a field inside a column has no name or no type");
  const auto name = json["name"].get<std::string>();
  FRESHET_TRY(auto type, TypeOf(json["type"], depth));
  auto field = arrow::field(name, std::move(type), json.value("nullable", Json(true)) != false);
  const Json metadata = json.value("metadata", Json::object());
  if (!metadata.is_object() || metadata.empty()) return field;
  if (metadata.value(kPhysicalName, Json(name)) != name) {
    return Error(ErrorClass::DELTA_UNSUPPORTED, "a field inside a column was renamed: {}", name);
  }
  return field->WithMetadata(arrow::key_value_metadata({kFieldMetadata}, {JsonText(metadata)}));
}

Result<std::shared_ptr<arrow::DataType>> NestedType(const Json& json, int depth) {
  const Json kind = json.value("type", Json());
  if (kind == "array" && json.contains("elementType")) {
    FRESHET_TRY(auto element, TypeOf(json["elementType"], depth));
    return arrow::list(std::move(element));
  }
  if (kind == "map" && json.contains("keyType") && json.contains("valueType")) {
    FRESHET_TRY(auto key, TypeOf(json["keyType"], depth));
    FRESHET_TRY(auto value, TypeOf(json["valueType"], depth));
    return arrow::map(std::move(key), std::move(value));
  }
  if (kind == "struct" && json.contains("fields") && json["fields"].is_array()) {
    arrow::FieldVector fields;
    for (const auto& each : json["fields"]) {
      FRESHET_TRY(auto field, FieldOf(each, depth));
      fields.push_back(std::move(field));
    }
    return arrow::struct_(std::move(fields));
  }
  return std::shared_ptr<arrow::DataType>();
}

Result<std::shared_ptr<arrow::DataType>> TypeOf(const Json& json, int depth = 0) {
  if (json.is_string()) {
    const auto name = json.get<std::string>();
    if (auto type = SimpleType(name)) return type;
    if (auto type = DecimalType(name)) return type;
  }
  if (json.is_object() && depth < kDepthMax) {
    FRESHET_TRY(auto type, NestedType(json, depth + 1));
    if (type != nullptr) return type;
  }
  return Error(ErrorClass::DELTA_UNSUPPORTED, "a column type that is not read: {}", JsonText(json));
}

Json ScalarJson(const arrow::DataType& type) {
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
    default:
      FRESHET_ASSERT(false, "no Delta type for {}", type.ToString());
  }
}

/// Writes one column's type; with column mapping the fields inside have ids and physical names too,
/// their own if they came with some.
class TypeWriter {
 public:
  TypeWriter(record::ColumnId column, bool column_mapping)
      : column_(column), column_mapping_(column_mapping) {}

  Json Write(const arrow::DataType& type) {
    switch (type.id()) {
      case arrow::Type::LIST:
        return {{"type", "array"},
                {"elementType", Write(*static_cast<const arrow::ListType&>(type).value_type())},
                {"containsNull", true}};
      case arrow::Type::MAP: {
        const auto& map = static_cast<const arrow::MapType&>(type);
        Json key = Write(*map.key_type());
        return {{"type", "map"},
                {"keyType", std::move(key)},
                {"valueType", Write(*map.item_type())},
                {"valueContainsNull", true}};
      }
      case arrow::Type::STRUCT: {
        Json fields = Json::array();
        for (const auto& field : type.fields()) fields.push_back(Field(*field));
        return {{"type", "struct"}, {"fields", std::move(fields)}};
      }
      default:
        return ScalarJson(type);
    }
  }

 private:
  Json Field(const arrow::Field& field) {
    ++number_;
    Json metadata = Json::object();
    if (field.metadata() != nullptr) {
      auto kept = field.metadata()->Get(kFieldMetadata);
      if (kept.ok()) metadata = ParseJson<Json>(*kept);
    }
    if (column_mapping_ && !metadata.contains(kMappingId)) {
      metadata[kMappingId] = record::NestedFieldId(column_, number_);
      metadata[kPhysicalName] = field.name();
    }
    Json type = Write(*field.type());
    return {{"name", field.name()},
            {"type", std::move(type)},
            {"nullable", field.nullable()},
            {"metadata", std::move(metadata)}};
  }

  const record::ColumnId column_;
  const bool column_mapping_;
  int32_t number_ = 0;
};

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
  if (!other.empty()) column.other_metadata_json = JsonText(other);
  return column;
}

}  // namespace

std::string TypeName(const arrow::DataType& type) {
  if (type.id() == arrow::Type::LIST)
    return "ARRAY<" + TypeName(*static_cast<const arrow::ListType&>(type).value_type()) + ">";
  if (type.id() == arrow::Type::MAP) {
    const auto& map = static_cast<const arrow::MapType&>(type);
    return "MAP<" + TypeName(*map.key_type()) + ", " + TypeName(*map.item_type()) + ">";
  }
  if (type.id() == arrow::Type::STRUCT) {
    std::string fields;
    for (const auto& field : type.fields())
      fields += (fields.empty() ? "" : ", ") + field->name() + ": " + TypeName(*field->type());
    return "STRUCT<" + fields + ">";
  }
  auto name = ScalarJson(type).get<std::string>();
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return name;
}

Result<std::vector<Column>> ColumnsFromJson(std::string_view schema_json) {
  const Json schema = ParseJson<Json>(schema_json);
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
    if (!column.other_metadata_json.empty()) metadata = ParseJson<Json>(column.other_metadata_json);
    if (column_mapping) {
      metadata[kMappingId] = column.id.value();
      metadata[kPhysicalName] = column.physical;
    } else if (column.id.value() > 0) {
      metadata[kOwnId] = column.id.value();
    }
    fields.push_back({{"name", column.name},
                      {"type", TypeWriter(column.id, column_mapping).Write(*column.type)},
                      {"nullable", column.nullable},
                      {"metadata", std::move(metadata)}});
  }
  return JsonText(Json{{"type", "struct"}, {"fields", std::move(fields)}});
}

void TakeComment(const std::string& comment, Column* column) {
  Json metadata = Json::object();
  if (!column->other_metadata_json.empty()) metadata = ParseJson<Json>(column->other_metadata_json);
  if (!comment.empty()) {
    metadata[kComment] = comment;
    metadata[kCommented] = true;
  } else if (metadata.contains(kCommented)) {
    metadata.erase(kComment);
    metadata.erase(kCommented);
  }
  column->other_metadata_json = metadata.empty() ? "" : JsonText(metadata);
}

void WidenColumn(std::shared_ptr<arrow::DataType> type, Column* column) {
  Json metadata = Json::object();
  if (!column->other_metadata_json.empty()) metadata = ParseJson<Json>(column->other_metadata_json);
  metadata["delta.typeChanges"].push_back(
      {{"fromType", ScalarJson(*column->type)}, {"toType", ScalarJson(*type)}});
  column->other_metadata_json = JsonText(metadata);
  column->type = std::move(type);
}

bool IsPlainName(std::string_view name) {
  return name.find_first_of(" ,;{}()\n\t=") == std::string_view::npos;
}

}  // namespace freshet::delta
