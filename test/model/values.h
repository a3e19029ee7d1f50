// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace freshet::model {

/// One value as text, null, or not sent at all.
struct Cell {
  enum class Kind : uint8_t { kText, kNull, kUnsent } kind = Kind::kNull;
  std::string text;
  auto operator<=>(const Cell&) const = default;
  static Cell Null() { return {}; }
  static Cell Unsent() { return {Kind::kUnsent, {}}; }
  static Cell Of(std::string text) { return {Kind::kText, std::move(text)}; }
};
using Row = std::vector<Cell>;

/// Return the words of a row as a case file writes them, for messages.
std::string ToText(const Row& row);

/// Return the type of that name: boolean, int16, int32, int64, float, double, string, binary, date,
/// timestamp, timestamptz, decimal(p,s).
Result<std::shared_ptr<arrow::DataType>> TypeOf(const std::string& name);

/// Write a value the one way it is compared in: parsed as its type, then printed.
Result<Cell> Canonical(const Cell& cell, const std::shared_ptr<arrow::DataType>& type);

/// Build an array of one column of these rows; null and unsent cells and those behind a short row's
/// end become null.
Result<std::shared_ptr<arrow::Array>> ColumnOf(const std::vector<Row>& rows, size_t column,
                                               const std::shared_ptr<arrow::DataType>& type);
/// Build a batch of rows.
Result<std::shared_ptr<arrow::RecordBatch>> BatchOf(const std::vector<Row>& rows,
                                                    const std::shared_ptr<arrow::Schema>& schema);
/// Return a moment as RowsOf reads a timestamptz.
Result<Cell> TimeCell(UtcMicros at);
/// Read a batch's rows back as cells.
Result<std::vector<Row>> RowsOf(const arrow::RecordBatch& batch);

}  // namespace freshet::model
