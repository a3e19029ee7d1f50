// SPDX-License-Identifier: Apache-2.0
#include <arrow/array/array_nested.h>

#include "cases/player.h"
#include "record/arrow_status.h"

namespace freshet::cases {
namespace {

std::vector<std::string> SplitAt(const std::string& text, char by) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == by) {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  return parts;
}

Result<model::Cell> CellOf(std::shared_ptr<arrow::Array> values) {
  auto schema = arrow::schema({arrow::field("value", values->type())});
  FRESHET_TRY(auto rows, model::RowsOf(*arrow::RecordBatch::Make(schema, 1, {std::move(values)})));
  return rows[0][0];
}

/// `12` is the commit time of position 12, `12+1` a microsecond later.
Result<model::Cell> TimeCell(const std::string& text) {
  const auto parts = SplitAt(text, '+');
  UtcMicros at = model::CommittedAt(std::stoull(parts[0]));
  if (parts.size() > 1) at += std::stoll(parts[1]);
  return model::TimeCell(at);
}

/// `3/x` is a struct of two fields.
Result<model::Cell> StructCell(const std::string& text, const arrow::DataType& type) {
  const auto parts = SplitAt(text, '/');
  if (std::ssize(parts) != type.num_fields())
    return Error(ErrorClass::INVALID_ARGUMENT, "not a value for each field: {}", text);
  arrow::ArrayVector fields;
  for (int i = 0; i < type.num_fields(); ++i) {
    const std::vector<model::Row> rows{{model::Cell::Of(parts[static_cast<size_t>(i)])}};
    FRESHET_TRY(auto values, model::ColumnOf(rows, 0, type.field(i)->type()));
    fields.push_back(std::move(values));
  }
  FRESHET_TRY(auto whole, arrow::StructArray::Make(fields, type.fields()));
  return CellOf(std::move(whole));
}

}  // namespace

Status Player::SetHistory(Words& words) {
  FRESHET_TRY(auto name, words.Any("SCD type"));
  auto type = apply::ScdTypeOf(name);
  if (!type) return Error(ErrorClass::INVALID_ARGUMENT, "no such type: {}", name);
  world_.history = {.scd_type = *type};
  if (words.Take("by")) {
    FRESHET_TRY(auto columns, words.Any("columns"));
    world_.history.sequence_by = SplitAt(columns, ',');
  }
  world_.history.soft_delete = words.Take("soft");
  return words.Done();
}

Result<model::Row> Player::HistoryRow(const record::TableShape& shape,
                                      const std::vector<delta::Column>& ours,
                                      model::Row row) const {
  if (row.size() < ours.size())
    return Error(ErrorClass::INVALID_ARGUMENT, "too few values: {}", model::ToText(row));
  const auto width = static_cast<std::ptrdiff_t>(row.size() - ours.size());
  const model::Row cells(row.begin() + width, row.end());
  row.resize(static_cast<size_t>(width));
  FRESHET_TRY(auto canonical, CanonicalRow(shape, row, false));
  for (size_t i = 0; i < ours.size(); ++i) {
    model::Cell cell = cells[i];
    const auto& type = ours[i].type;
    if (cell.kind == model::Cell::Kind::kText && type->id() == arrow::Type::STRUCT) {
      FRESHET_TRY(cell, StructCell(cell.text, *type));
    } else if (cell.kind == model::Cell::Kind::kText &&
               type->Equals(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"))) {
      FRESHET_TRY(cell, TimeCell(cell.text));
    } else {
      FRESHET_TRY(cell, model::Canonical(cell, type));
    }
    canonical.push_back(std::move(cell));
  }
  return canonical;
}

}  // namespace freshet::cases
