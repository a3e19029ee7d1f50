// SPDX-License-Identifier: Apache-2.0
#include "apply/column_change.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "apply/history_form.h"
#include "base/random.h"
#include "delta/features.h"
#include "record/widening.h"

namespace freshet::apply {
namespace {

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool IsActive(const record::TableShape& shape, record::ColumnId id) {
  return std::find(shape.ids.begin(), shape.ids.end(), id) != shape.ids.end();
}

/// Whether the table has the column for its history.
bool IsOurs(record::ColumnId id) { return id == kStartId || id == kEndId || id == kDeletedId; }

bool Has(const std::vector<record::ColumnId>& ids, record::ColumnId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

/// Whether the rows that are there stay what they are when a column of theirs takes this type.
/// Those that rows are known by must keep their bytes; those that order versions have given the
/// times of versions their type; and a FLOAT's statistics are too short for the DOUBLE it becomes.
bool MayWiden(const TableMark& mark, const delta::Column& column, const arrow::DataType& to) {
  const arrow::DataType& from = *column.type;
  if (!record::IsWidening(from, to) || from.id() == arrow::Type::FLOAT) return false;
  if (Has(mark.history.sequence_by, column.id)) return false;
  const bool identifies = mark.key.empty() || Has(mark.key, column.id);
  return !identifies || record::KeepsIdentity(from, to);
}

/// A name that no column has, of a column that gave it up.
std::string MovedAside(const std::string& name, const std::set<std::string>& taken) {
  for (int n = 1;; ++n) {
    std::string aside = fmt::format("{}__dropped_{}", name, n);
    if (!taken.contains(Lower(aside))) return aside;
  }
}

/// A new column's name in data files: its own, unless an older column's values are under that.
/// Once columns were dropped nobody knows any more what names are taken.
std::string PhysicalOf(const delta::Column& wanted, const TableMark& mark,
                       const std::vector<delta::Column>& columns) {
  if (mark.dropped) return fmt::format("{}-{}", wanted.name, RandomHex(8));
  bool taken = std::any_of(columns.begin(), columns.end(), [&](const auto& column) {
    return Lower(column.physical) == Lower(wanted.name);
  });
  return taken ? fmt::format("{}-{}", wanted.name, wanted.id.value()) : wanted.name;
}

}  // namespace

Status TakeColumns(const record::TableShape& shape, const TableMark& mark, bool widens,
                   std::vector<delta::Column>* columns) {
  for (auto& wanted : ColumnsOf(shape)) {
    auto same = std::find_if(columns->begin(), columns->end(),
                             [&](const auto& column) { return column.id == wanted.id; });
    if (same == columns->end()) {
      wanted.physical = PhysicalOf(wanted, mark, *columns);
      columns->push_back(std::move(wanted));
      continue;
    }
    if (widens && MayWiden(mark, *same, *wanted.type)) {
      delta::WidenColumn(wanted.type, &*same);
    } else if (!same->type->Equals(*wanted.type)) {
      return Error(ErrorClass::SHAPE_CHANGE_UNSUPPORTED, "column {} {} became {}", same->name,
                   same->type->ToString(), wanted.type->ToString());
    }
    same->name = wanted.name;
    if (shape.comments) {
      auto comment = shape.comments->columns.find(wanted.id);
      const bool has = comment != shape.comments->columns.end();
      delta::TakeComment(has ? comment->second : std::string(), &*same);
    }
  }
  std::set<std::string> active, taken;
  for (const auto& field : shape.schema->fields()) active.insert(Lower(field->name()));
  for (const auto& column : *columns) taken.insert(Lower(column.name));
  for (auto& column : *columns) {
    if (IsActive(shape, column.id) || !active.contains(Lower(column.name))) continue;
    if (column.id.value() == 0 || IsOurs(column.id)) {
      return Error(ErrorClass::COLUMN_NAME_CONFLICT, "the table has a column of {} named {}",
                   IsOurs(column.id) ? "its history" : "another program", column.name);
    }
    column.name = MovedAside(column.name, taken);
    taken.insert(Lower(column.name));
  }
  return Status::Ok();
}

std::vector<record::ColumnId> InactiveColumns(const std::vector<delta::Column>& columns,
                                              const record::TableShape& shape) {
  std::vector<record::ColumnId> inactive;
  for (const auto& column : columns) {
    if (column.id.value() != 0 && !IsOurs(column.id) && !IsActive(shape, column.id))
      inactive.push_back(column.id);
  }
  return inactive;
}

DroppedColumns DropInactive(const delta::Metadata& metadata, TableMark* mark,
                            std::vector<delta::Column>* columns) {
  const auto with_statistics = delta::StatisticsColumns(metadata);
  DroppedColumns result;
  std::vector<record::ColumnId> stay;
  for (const auto& id : mark->inactive) {
    auto column = std::ranges::find(*columns, id, &delta::Column::id);
    if (column == columns->end()) continue;
    const bool is_named = std::ranges::any_of(with_statistics, [&](const std::string& name) {
      return Lower(name) == Lower(column->name);
    });
    if (is_named) result.named.push_back(column->name);
    if (is_named || Has(mark->key, id) || Has(mark->history.sequence_by, id)) {
      stay.push_back(id);
      continue;
    }
    result.dropped.push_back(column->name);
    columns->erase(column);
  }
  mark->inactive = std::move(stay);
  mark->dropped = mark->dropped || !result.dropped.empty();
  return result;
}

}  // namespace freshet::apply
