// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "record/sequence.h"
#include "record/shape.h"

namespace freshet::record {

enum class Op : int8_t { kInsert = 0, kUpdate = 1, kDelete = 2 };

/// The four columns that follow a shape's own in a batch of changes and in staged change runs.
inline constexpr std::string_view kOpColumn = "__freshet_op";              // int8
inline constexpr std::string_view kSequenceColumn = "__freshet_sequence";  // fixed_size_binary(24)
inline constexpr std::string_view kCommittedAtColumn =
    "__freshet_committed_at";  // timestamp(us, "UTC"): the source's commit
inline constexpr std::string_view kMissingColumn =
    "__freshet_missing";  // binary, null = every column was sent

/// Return the schema of a change batch of this shape: its columns, then the four above.
std::shared_ptr<arrow::Schema> ChangeSchema(const arrow::Schema& columns);

/// Changes of one table and one shape, in sequence order; may span many source transactions.
/// Immutable.
///
/// Shape of `rows`: ChangeSchema(shape). A delete holds its key columns (all columns for a keyless
/// table), the rest null. An update of a keyless table is a delete of the whole old row, then an
/// insert. A key change is two adjacent rows, delete of the old key then insert of the new, never
/// split over batches. `missing` is a bitmap over the shape's columns (bit i of byte i / 8, least
/// significant first): 1 = the source did not send it (unchanged TOAST); the column is null in the
/// batch and its value is the row's former one. On an insert it means the former row of the delete
/// just before it. Keyless tables never have missing columns.
struct ChangeBatch {
  std::shared_ptr<const TableShape> shape;
  std::shared_ptr<arrow::RecordBatch> rows;
};

/// Typed access to a batch's four columns. Holds the batch; throws nothing, checks nothing per row.
class ChangeView {
 public:
  /// REQUIRES: `rows` has ChangeSchema's form (checked: FRESHET_ASSERT).
  explicit ChangeView(std::shared_ptr<arrow::RecordBatch> rows);
  int64_t size() const { return rows_->num_rows(); }
  int width() const { return rows_->num_columns() - 4; }
  Op op(int64_t row) const { return static_cast<Op>(op_->Value(row)); }
  Sequence sequence(int64_t row) const;
  UtcMicros committed_at(int64_t row) const { return committed_at_->Value(row); }
  bool has_missing(int64_t row) const { return !missing_->IsNull(row); }
  bool missing(int64_t row, int column) const;
  const std::shared_ptr<arrow::RecordBatch>& rows() const { return rows_; }

 private:
  std::shared_ptr<arrow::RecordBatch> rows_;
  const arrow::Int8Array* op_;
  const arrow::FixedSizeBinaryArray* sequence_;
  const arrow::TimestampArray* committed_at_;
  const arrow::BinaryArray* missing_;
};

/// A table's columns or key changed; changes after `at` have the new shape.
struct ShapeChange {
  std::shared_ptr<const TableShape> before, after;
  Sequence at;
};
/// All rows of a table went at once.
struct TableEnd {
  enum class Kind : uint8_t { kTruncated, kDropped } kind;
  TableId table;
  Sequence at;
  UtcMicros committed_at = 0;
};
/// Rows of a table went without a change for each, as when one of its partitions is truncated:
/// what is there at or after `at` has to be read.
struct RowsUntold {
  TableId table;
  Sequence at;
  std::string why;
};
/// One of the partitions that hold a table's rows. `id` is the source's, and another when it left
/// the table in between, for rows may have come or gone meanwhile.
struct Partition {
  std::string id;
  std::string name;
  /// Every row that came into the partition came as a change of the table.
  bool told = false;
};
/// What a table consists of by now; a partition that came or went took rows along without a change.
struct PartitionsSeen {
  TableId table;
  std::vector<Partition> partitions;
};
/// A table's changes cannot be followed any further; the others go on. Lasts until the table is
/// read anew.
struct TableFailed {
  TableId table;
  Status why;
};
/// A table could not be read this time, or not all that was to be looked for: it is followed on,
/// and asked again next time. OK: it was read again.
struct TableUnread {
  TableId table;
  Status why;
};
/// Safe to resume after this: every change before it has been returned.
struct Commit {
  Cursor cursor;
  UtcMicros committed_at = 0;
};
/// Everything committed at the source before this call of Next has been returned.
struct Idle {};
/// The deadline passed; not known to be idle.
struct Nothing {};

using TableEvent = std::variant<ChangeBatch, ShapeChange, TableEnd, RowsUntold, PartitionsSeen,
                                TableFailed, TableUnread>;
using StreamEvent = std::variant<TableEvent, Commit, Idle, Nothing>;

}  // namespace freshet::record
