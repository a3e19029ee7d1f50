// SPDX-License-Identifier: Apache-2.0
#include "staging/shape_json.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/json.h"

namespace freshet::staging {
namespace {

using nlohmann::json;

struct NamedType {
  std::string_view name;
  std::shared_ptr<arrow::DataType> type;
};

const std::vector<NamedType>& NamedTypes() {
  static const std::vector<NamedType> types = {
      {"bool", arrow::boolean()},
      {"int8", arrow::int8()},
      {"int16", arrow::int16()},
      {"int32", arrow::int32()},
      {"int64", arrow::int64()},
      {"float", arrow::float32()},
      {"double", arrow::float64()},
      {"string", arrow::utf8()},
      {"binary", arrow::binary()},
      {"date", arrow::date32()},
      {"timestamp", arrow::timestamp(arrow::TimeUnit::MICRO)},
      {"timestamp_utc", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")},
  };
  return types;
}

/// Deeper than any source nests; a bound for what is read.
constexpr int kDepthMax = 64;

std::string ScalarName(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DECIMAL128) {
    const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
    return fmt::format("decimal({},{})", decimal.precision(), decimal.scale());
  }
  for (const NamedType& named : NamedTypes()) {
    if (named.type->Equals(type)) return std::string(named.name);
  }
  AssertFailed("a shape's type is one of record/shape.h", __FILE__, __LINE__, type.ToString());
}

json FieldToJson(const arrow::Field& field);

/// Text, but an object where fields inside have names.
json TypeToJson(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::LIST: {
      json item = TypeToJson(*static_cast<const arrow::ListType&>(type).value_type());
      if (item.is_string()) return fmt::format("list<{}>", item.get<std::string>());
      return {{"list", std::move(item)}};
    }
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      return {
          {"map", {{"key", TypeToJson(*map.key_type())}, {"value", TypeToJson(*map.item_type())}}}};
    }
    case arrow::Type::STRUCT: {
      json fields = json::array();
      for (const auto& field : type.fields()) fields.push_back(FieldToJson(*field));
      return {{"struct", std::move(fields)}};
    }
    default:
      return ScalarName(type);
  }
}

json FieldToJson(const arrow::Field& field) {
  return {{"name", field.name()}, {"type", TypeToJson(*field.type())}};
}

/// Take the text between `prefix` and `suffix`; false when it is not of that form.
bool Between(std::string_view text, std::string_view prefix, std::string_view suffix,
             std::string_view* inner) {
  if (text.size() < prefix.size() + suffix.size() || !text.starts_with(prefix) ||
      !text.ends_with(suffix))
    return false;
  *inner = text.substr(prefix.size(), text.size() - prefix.size() - suffix.size());
  return true;
}

Status UnknownType(std::string_view name) {
  return Error(ErrorClass::STAGING_CORRUPT, "a shape has an unknown type: {}", name);
}

Result<std::shared_ptr<arrow::DataType>> NamedTypeOf(std::string_view name, int depth = 0) {
  std::string_view inner;
  if (Between(name, "list<", ">", &inner) && depth < kDepthMax) {
    FRESHET_TRY(std::shared_ptr<arrow::DataType> item, NamedTypeOf(inner, depth + 1));
    return arrow::list(arrow::field("item", item));
  }
  if (Between(name, "decimal(", ")", &inner)) {
    int precision = 0;
    int scale = 0;
    const char* end = inner.data() + inner.size();
    auto [comma, first_error] = std::from_chars(inner.data(), end, precision);
    if (first_error == std::errc() && comma != end && *comma == ',') {
      auto [last, second_error] = std::from_chars(comma + 1, end, scale);
      if (second_error == std::errc() && last == end && precision >= 1 && precision <= 38)
        return arrow::decimal128(precision, scale);
    }
  }
  for (const NamedType& named : NamedTypes()) {
    if (named.name == name) return named.type;
  }
  return UnknownType(name);
}

Result<std::shared_ptr<arrow::DataType>> TypeFromJson(const json& in, int depth = 0) {
  if (in.is_string()) return NamedTypeOf(in.get<std::string>());
  if (depth >= kDepthMax || !in.is_object()) return UnknownType("a nested one");
  if (in.contains("list")) {
    FRESHET_TRY(auto item, TypeFromJson(in.at("list"), depth + 1));
    return arrow::list(arrow::field("item", std::move(item)));
  }
  if (in.contains("map")) {
    FRESHET_TRY(auto key, TypeFromJson(in.at("map").at("key"), depth + 1));
    FRESHET_TRY(auto value, TypeFromJson(in.at("map").at("value"), depth + 1));
    return arrow::map(std::move(key), std::move(value));
  }
  arrow::FieldVector fields;
  for (const json& field : in.at("struct")) {
    FRESHET_TRY(auto type, TypeFromJson(field.at("type"), depth + 1));
    fields.push_back(arrow::field(field.at("name").get<std::string>(), std::move(type)));
  }
  return arrow::struct_(std::move(fields));
}

json CommentsToJson(const record::TableComments& comments) {
  json columns = json::array();
  for (const auto& [id, text] : comments.columns)
    columns.push_back({{"id", id.value()}, {"text", text}});
  return {{"table", comments.table}, {"columns", std::move(columns)}};
}

record::TableComments CommentsFromJson(const json& in) {
  record::TableComments comments;
  comments.table = in.at("table").get<std::string>();
  for (const json& column : in.at("columns")) {
    comments.columns[record::ColumnId(column.at("id").get<int32_t>())] =
        column.at("text").get<std::string>();
  }
  return comments;
}

}  // namespace

json ShapeToJson(const record::TableShape& shape) {
  json columns = json::array();
  for (int i = 0; i < shape.width(); ++i) {
    const arrow::Field& field = *shape.schema->field(i);
    columns.push_back({{"id", shape.ids[static_cast<size_t>(i)].value()},
                       {"name", field.name()},
                       {"type", TypeToJson(*field.type())}});
  }
  json out = {{"table", shape.id.value()},     {"schema", shape.name.schema},
              {"name", shape.name.table},      {"version", shape.version},
              {"columns", std::move(columns)}, {"key", shape.key}};
  if (shape.last_column > 0) out["last_column"] = shape.last_column;
  if (!shape.logged) out["logged"] = false;
  if (shape.comments) out["comments"] = CommentsToJson(*shape.comments);
  return out;
}

Result<record::TableShape> ShapeFromJson(const json& in) {
  record::TableShape shape;
  shape.id = record::TableId(in.at("table").get<std::string>());
  shape.name = {.schema = in.at("schema").get<std::string>(),
                .table = in.at("name").get<std::string>()};
  shape.version = in.at("version").get<int32_t>();
  shape.last_column = in.value("last_column", 0);
  arrow::FieldVector fields;
  for (const json& column : in.at("columns")) {
    FRESHET_TRY(std::shared_ptr<arrow::DataType> type, TypeFromJson(column.at("type")));
    fields.push_back(arrow::field(column.at("name").get<std::string>(), std::move(type)));
    shape.ids.emplace_back(column.at("id").get<int32_t>());
  }
  shape.schema = arrow::schema(std::move(fields));
  for (int ordinal : in.at("key").get<std::vector<int>>()) {
    if (ordinal < 0 || ordinal >= shape.width())
      return Error(ErrorClass::STAGING_CORRUPT, "a shape's key names no column: {}", ordinal);
    shape.key.push_back(ordinal);
  }
  shape.logged = in.value("logged", true);
  if (in.contains("comments")) shape.comments = CommentsFromJson(in.at("comments"));
  return shape;
}

json ImprintToJson(const record::Imprint& imprint) {
  return {{"readings", imprint.readings}, {"columns", imprint.columns}, {"files", imprint.files}};
}

record::Imprint ImprintFromJson(const json& in) {
  using Texts = std::map<std::string, std::string>;
  return {.readings = in.at("readings").get<Texts>(),
          .columns = in.at("columns").get<Texts>(),
          .files = in.at("files").get<Texts>()};
}

}  // namespace freshet::staging
