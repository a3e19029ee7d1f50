// SPDX-License-Identifier: Apache-2.0
#include "record/shape.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "record/field_ids.h"

namespace freshet::record {
namespace {

bool IsScalar(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::FLOAT:
    case arrow::Type::DOUBLE:
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
    case arrow::Type::DATE32:
    case arrow::Type::DECIMAL128:
      return true;
    case arrow::Type::TIMESTAMP: {
      const auto& timestamp = static_cast<const arrow::TimestampType&>(type);
      return timestamp.unit() == arrow::TimeUnit::MICRO &&
             (timestamp.timezone().empty() || timestamp.timezone() == "UTC");
    }
    default:
      return false;
  }
}

bool IsSupported(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::LIST:
      return IsSupported(*static_cast<const arrow::ListType&>(type).value_type());
    case arrow::Type::MAP: {
      const auto& map = static_cast<const arrow::MapType&>(type);
      return IsScalar(*map.key_type()) && IsSupported(*map.item_type());
    }
    case arrow::Type::STRUCT:
      return type.num_fields() > 0 &&
             std::all_of(type.fields().begin(), type.fields().end(),
                         [](const auto& field) { return IsSupported(*field->type()); });
    default:
      return IsScalar(type);
  }
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Whether something that both know has another text.
bool Differ(const std::map<std::string, std::string>& before,
            const std::map<std::string, std::string>& after) {
  return std::any_of(before.begin(), before.end(), [&](const auto& each) {
    auto found = after.find(each.first);
    return found != after.end() && found->second != each.second;
  });
}

}  // namespace

std::string ReadsOtherwise(const Imprint& before, const Imprint& after) {
  if (Differ(before.readings, after.readings)) return "values of it read otherwise than they did";
  if (WrittenAnew(before, after) && Differ(before.columns, after.columns))
    return "a column was altered and all rows were written anew";
  return "";
}

bool WrittenAnew(const Imprint& before, const Imprint& after) {
  return Differ(before.files, after.files);
}

bool TableShape::SameColumns(const TableShape& other) const {
  return ids == other.ids && key == other.key &&
         schema->Equals(*other.schema, /*check_metadata=*/false);
}

Status CheckShape(const TableShape& shape) {
  FRESHET_ASSERT(shape.ids.size() == static_cast<size_t>(shape.width()));
  std::set<ColumnId> ids;
  std::set<std::string> names;
  for (int i = 0; i < shape.width(); ++i) {
    const auto& field = *shape.schema->field(i);
    FRESHET_ASSERT(IsSupported(*field.type()), "column {} has type {}", field.name(),
                   field.type()->ToString());
    const ColumnId& id = shape.ids[static_cast<size_t>(i)];
    FRESHET_ASSERT(id.value() > 0 && ids.insert(id).second, "column {} has id {}", field.name(),
                   id.value());
    FRESHET_ASSERT(id.value() < kNestedColumnIdMax || CountFields(*field.type()) == 0);
    if (field.name().starts_with(kReservedPrefix)) {
      return Error(ErrorClass::COLUMN_RESERVED, "the column name is reserved: {}", field.name())
          .With("table", shape.name.ToString());
    }
    if (!names.insert(Lower(field.name())).second) {
      return Error(ErrorClass::COLUMN_NAME_CONFLICT,
                   "another column has this name in another case: {}", field.name())
          .With("table", shape.name.ToString());
    }
  }
  for (int ordinal : shape.key) FRESHET_ASSERT(ordinal >= 0 && ordinal < shape.width());
  return Status::Ok();
}

}  // namespace freshet::record
