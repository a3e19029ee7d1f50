// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "record/change.h"
#include "record/shape.h"

namespace freshet::fakes {

/// The source did not send this value (an unchanged TOAST column); only in new images of changes.
struct Unsent {
  auto operator<=>(const Unsent&) const = default;
};
/// One value: null; bool; any integer, days of a date, microseconds of a timestamp; float or
/// double; text, bytes, or the decimal digits of a decimal with its scale.
using Value = std::variant<std::monostate, Unsent, bool, int64_t, double, std::string>;
/// One a column of the shape.
using Row = std::vector<Value>;

/// A column of a shape made by hand.
struct Column {
  std::string name;
  std::shared_ptr<arrow::DataType> type;
};
/// Make a shape whose column ids are 1, 2, … and whose key is the first `key_columns` columns (0:
/// keyless). Version 0.
record::TableShape MakeShape(std::string id, std::string schema, std::string table,
                             std::vector<Column> columns, int key_columns = 1);

/// One change as it stands in a batch.
struct ChangeRow {
  record::Op op = record::Op::kInsert;
  Row row;
  record::Sequence sequence;
  UtcMicros committed_at = 0;
};

/// Lists are not built. REQUIRES: values fit the shape's types (FRESHET_ASSERT).
std::shared_ptr<arrow::RecordBatch> MakeRows(const record::TableShape& shape,
                                             const std::vector<Row>& rows);
std::shared_ptr<arrow::RecordBatch> MakeChanges(const record::TableShape& shape,
                                                const std::vector<ChangeRow>& changes);

}  // namespace freshet::fakes
