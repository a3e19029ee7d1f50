// SPDX-License-Identifier: Apache-2.0
#include "capture/shape_change.h"

#include <algorithm>

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

/// The place of a column in a shape; -1: it has none.
int PlaceOf(const record::TableShape& shape, record::ColumnId id) {
  auto found = std::find(shape.ids.begin(), shape.ids.end(), id);
  return found == shape.ids.end() ? -1 : static_cast<int>(found - shape.ids.begin());
}

/// Every column id that the table had when it was described was at most this.
int32_t LastColumn(const record::TableShape& shape) {
  int32_t last = shape.last_column;
  for (const record::ColumnId& id : shape.ids) last = std::max(last, id.value());
  return last;
}

Status CheckAdded(const record::TableShape& before, const record::TableShape& after, int place) {
  const auto at = static_cast<size_t>(place);
  const std::string& name = after.schema->field(place)->name();
  if (after.ids[at].value() <= LastColumn(before))
    return Unsupported(before, "a column is selected that was not", name);
  if (at < after.filled.size() && after.filled[at]) {
    return Unsupported(
        before, "a column was added with a default, which fills rows without a change", name);
  }
  return Status::Ok();
}

}  // namespace

bool SameKey(const record::TableShape& before, const record::TableShape& after) {
  return KeyIds(before) == KeyIds(after);
}

Status CheckFollowable(const record::TableShape& before, const record::TableShape& after) {
  if (!SameKey(before, after)) {
    return Error(ErrorClass::KEY_CHANGED,
                 "the key names other columns than when the table was read")
        .With("table", before.name.ToString());
  }
  for (int i = 0; i < before.width(); ++i) {
    const arrow::Field& field = *before.schema->field(i);
    const int now = PlaceOf(after, before.ids[static_cast<size_t>(i)]);
    // The rows that are there are known by all of their columns.
    if (now < 0 && before.keyless())
      return Unsupported(before, "a column was dropped of a table without a key", field.name());
    if (now < 0 || after.schema->field(now)->type()->Equals(field.type())) continue;
    // A wider type too: what made new values of the old ones, no log says.
    return Unsupported(before, "a column has another type", field.name());
  }
  for (int i = 0; i < after.width(); ++i) {
    if (PlaceOf(before, after.ids[static_cast<size_t>(i)]) < 0)
      FRESHET_CHECK_OK(CheckAdded(before, after, i));
  }
  return record::CheckShape(after);
}

std::string ChangesOf(const record::TableShape& before, const record::TableShape& after) {
  std::vector<std::string> changes;
  for (int i = 0; i < before.width(); ++i) {
    const std::string& name = before.schema->field(i)->name();
    const int now = PlaceOf(after, before.ids[static_cast<size_t>(i)]);
    if (now < 0) {
      changes.push_back("dropped " + name);
    } else if (after.schema->field(now)->name() != name) {
      changes.push_back("renamed " + name + " to " + after.schema->field(now)->name());
    }
  }
  for (int i = 0; i < after.width(); ++i) {
    if (PlaceOf(before, after.ids[static_cast<size_t>(i)]) < 0)
      changes.push_back("added " + after.schema->field(i)->name());
  }
  const record::TableComments none;
  if (before.comments.value_or(none) != after.comments.value_or(none))
    changes.emplace_back("comments");
  return fmt::format("{}", fmt::join(changes, ", "));
}

Status Paused(const record::TableName& table, std::string_view how) {
  return Error(ErrorClass::SCHEMA_CHANGE_PAUSED, "the table waits, for it changed: {}", how)
      .With("table", table.ToString());
}

bool IsTableProblem(const Status& status) {
  return !status.ok() && IsTableProblem(status.error_class());
}

bool IsTableProblem(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::COLUMN_NAME_CONFLICT:
    case ErrorClass::COLUMN_RESERVED:
    case ErrorClass::KEY_CHANGED:
    case ErrorClass::KEY_NOT_SELECTED:
    case ErrorClass::PUBLICATION_MISSING:
    case ErrorClass::SCHEMA_CHANGE_PAUSED:
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
