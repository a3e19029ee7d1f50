// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/builder.h>

#include <memory>
#include <string>
#include <vector>

#include "record/change.h"
#include "sources/postgres/decode.h"
#include "sources/postgres/pgoutput.h"

namespace freshet::sources::postgres {

/// Where a change stands: its sequence, that of the second row it may become, and its transaction's
/// commit time.
struct Stamp {
  record::Sequence first, second;
  UtcMicros committed_at = 0;
};

/// How the row messages of one relation fit a shape. A partition's columns may stand in another
/// order than its table's, and its replica identity may be another.
struct RowLayout {
  /// `ordinals`: for each column of the messages its place in the shape, -1: none.
  /// `whole_old_rows`: an old
  /// row of kind O holds every column, so it fills in what the new one leaves out.
  RowLayout(int shape_width, const std::vector<int>& ordinals, bool whole_old_rows);
  /// For each column of the shape its place in the messages; -1: not sent, null.
  std::vector<int> places;
  size_t width_sent = 0;
  bool whole_old_rows = false;
};

/// Collects one table's changes into a batch. One thread at a time; knows nothing of transactions.
class TableChanges {
 public:
  explicit TableChanges(std::shared_ptr<const record::TableShape> shape);

  /// Append an insert, update or delete (tag I, U, D). After an error nothing more may be added.
  /// Errors: SOURCE_PROTOCOL, KEY_CHANGED (the old row was not sent), VALUE_NOT_SENT (keyless).
  Status Add(char tag, const RowMessage& row, const RowLayout& layout, const Stamp& stamp);
  int64_t rows() const { return rows_; }
  size_t bytes() const { return bytes_; }
  const std::shared_ptr<const record::TableShape>& shape() const { return shape_; }
  /// Return what was added and begin anew.
  Result<record::ChangeBatch> Finish();
  int64_t values_nulled() const;

 private:
  Status AddInsert(const RowMessage& row, const RowLayout& layout, const record::Sequence& sequence,
                   record::Op op, UtcMicros committed_at);
  Status AddDelete(const Tuple& before, const RowLayout& layout, const record::Sequence& sequence,
                   UtcMicros committed_at);
  Status AddValue(int ordinal, const TupleColumn& value);
  Status AddMark(record::Op op, const record::Sequence& sequence, UtcMicros committed_at,
                 bool missing);
  bool KeyChanged(const RowMessage& row, const RowLayout& layout) const;
  Status Reserve();
  static Status CheckTuple(const Tuple& tuple, const RowLayout& layout);

  std::shared_ptr<const record::TableShape> shape_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<bool> is_key_;
  std::vector<ColumnDecoder> columns_;
  arrow::Int8Builder op_;
  arrow::FixedSizeBinaryBuilder sequence_{arrow::fixed_size_binary(24)};
  arrow::TimestampBuilder committed_at_{arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                        arrow::default_memory_pool()};
  arrow::BinaryBuilder missing_;
  std::string missing_bits_;
  int64_t rows_ = 0;
  int64_t reserved_ = 0;
  size_t bytes_ = 0;
};

}  // namespace freshet::sources::postgres
