// SPDX-License-Identifier: Apache-2.0
#include "capture/shape_change.h"

#include <algorithm>

#include "record/field_ids.h"

namespace freshet::capture {
namespace {

std::vector<record::ColumnId> KeyIds(const record::TableShape& shape) {
  std::vector<record::ColumnId> ids;
  for (int ordinal : shape.key) ids.push_back(shape.ids[static_cast<size_t>(ordinal)]);
  return ids;
}

Status Unsupported(const record::TableShape& shape, std::string_view what,
                   std::string_view column) {
  return Error(ErrorClass::SHAPE_CHANGE_UNSUPPORTED, "{}: {}", what, column)
      .With("table", shape.name.ToString());
}

}  // namespace

bool SameFields(const record::TableShape& before, const record::TableShape& after) {
  for (int i = 0; i < before.width(); ++i) {
    const auto& type = *before.schema->field(i)->type();
    auto now = std::find(after.ids.begin(), after.ids.end(), before.ids[static_cast<size_t>(i)]);
    if (record::CountFields(type) == 0 || now == after.ids.end()) continue;
    auto at = static_cast<int>(now - after.ids.begin());
    if (!after.schema->field(at)->type()->Equals(type)) return false;
  }
  return true;
}

bool SameKey(const record::TableShape& before, const record::TableShape& after) {
  return KeyIds(before) == KeyIds(after);
}

Status CheckFollowable(const record::TableShape& before, const record::TableShape& after) {
  for (int i = 0; i < before.width(); ++i) {
    const arrow::Field& field = *before.schema->field(i);
    auto at = static_cast<size_t>(i);
    bool stays = i < after.width() && after.ids[at] == before.ids[at];
    if (!stays) return Unsupported(before, "a column was dropped", field.name());
    const arrow::Field& now = *after.schema->field(i);
    if (now.name() != field.name())
      return Unsupported(before, "a column was renamed", field.name());
    if (!now.type()->Equals(*field.type())) {
      return Unsupported(before, "a column has another type", field.name());
    }
  }
  if (!SameKey(before, after)) {
    return Error(ErrorClass::KEY_CHANGED,
                 "the key names other columns than when the table was read")
        .With("table", before.name.ToString());
  }
  return record::CheckShape(after);
}

bool IsTableProblem(const Status& status) {
  if (status.ok()) return false;
  switch (status.error_class()) {
    case ErrorClass::COLUMN_NAME_CONFLICT:
    case ErrorClass::COLUMN_RESERVED:
    case ErrorClass::KEY_CHANGED:
    case ErrorClass::PUBLICATION_MISSING:
    case ErrorClass::SHAPE_CHANGE_UNSUPPORTED:
    case ErrorClass::TABLE_NO_IDENTITY:
    case ErrorClass::TABLE_NOT_LOGGED:
    case ErrorClass::TABLE_RECREATED:
    case ErrorClass::TABLE_RENAMED:
      return true;
    default:
      return false;
  }
}

}  // namespace freshet::capture
