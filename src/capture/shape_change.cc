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

/// Every column id that the table had when it was described was at most this.
int32_t LastColumn(const record::TableShape& shape) {
  int32_t last = shape.last_column;
  for (const record::ColumnId& id : shape.ids) last = std::max(last, id.value());
  return last;
}

/// Why rows from before may hold something in an added column; empty: they hold NULL.
std::string_view WhyUnfilled(const record::TableShape& before, const record::TableShape& after,
                             int place) {
  const auto at = static_cast<size_t>(place);
  if (after.ids[at].value() <= LastColumn(before)) return "a column is selected that was not";
  if (at < after.filled.size() && after.filled[at])
    return "a column was added with a default, which fills rows without a change";
  return {};
}

}  // namespace

int PlaceOf(const record::TableShape& shape, record::ColumnId id) {
  auto found = std::find(shape.ids.begin(), shape.ids.end(), id);
  return found == shape.ids.end() ? -1 : static_cast<int>(found - shape.ids.begin());
}

bool SameKey(const record::TableShape& before, const record::TableShape& after) {
  return KeyIds(before) == KeyIds(after);
}

std::vector<record::ColumnId> UnfilledColumns(const record::TableShape& before,
                                              const record::TableShape& after) {
  std::vector<record::ColumnId> unfilled;
  for (int i = 0; i < after.width(); ++i) {
    const auto& id = after.ids[static_cast<size_t>(i)];
    if (PlaceOf(before, id) < 0 && !WhyUnfilled(before, after, i).empty()) unfilled.push_back(id);
  }
  return unfilled;
}

record::TableShape OfColumns(const record::TableShape& shape,
                             const std::vector<record::ColumnId>& columns) {
  record::TableShape some = shape;
  some.ids.clear();
  some.source_types.clear();
  some.filled.clear();
  some.key.clear();
  arrow::FieldVector fields;
  for (const auto& id : columns) {
    const int place = PlaceOf(shape, id);
    if (place < 0 || PlaceOf(some, id) >= 0) continue;
    fields.push_back(shape.schema->field(place));
    some.ids.push_back(id);
  }
  some.schema = arrow::schema(std::move(fields));
  for (int ordinal : shape.key)
    some.key.push_back(PlaceOf(some, shape.ids[static_cast<size_t>(ordinal)]));
  return some;
}

record::TableShape Narrowed(const record::TableShape& shape,
                            const std::vector<record::ColumnId>& columns) {
  std::vector<record::ColumnId> wanted;
  for (int ordinal : shape.key) wanted.push_back(shape.ids[static_cast<size_t>(ordinal)]);
  wanted.insert(wanted.end(), columns.begin(), columns.end());
  return OfColumns(shape, wanted);
}

Status CheckFollowable(const record::TableShape& before, const record::TableShape& after,
                       bool fills) {
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
    if (fills || PlaceOf(before, after.ids[static_cast<size_t>(i)]) >= 0) continue;
    const auto why = WhyUnfilled(before, after, i);
    if (!why.empty()) return Unsupported(before, why, after.schema->field(i)->name());
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
    case ErrorClass::CURSOR_UNSUITABLE:
    case ErrorClass::KEY_CHANGED:
    case ErrorClass::KEY_NOT_SELECTED:
    case ErrorClass::NAME_NOT_UTF8:
    case ErrorClass::PARTITION_OF_ANOTHER:
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

bool IsOfTable(const Status& status) {
  return IsTableProblem(status) || status.Is(ErrorClass::SOURCE_PRIVILEGE) ||
         status.Is(ErrorClass::SOURCE_QUERY) || status.Is(ErrorClass::SOURCE_ENCODING);
}

}  // namespace freshet::capture
