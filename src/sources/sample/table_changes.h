// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/table_builder.h>

#include <memory>

#include "record/change.h"
#include "sources/sample/journal.h"

namespace freshet::sources::sample {

/// Collects one table's changes into the batch that record::ChangeBatch describes.
class TableChanges {
 public:
  static Result<std::unique_ptr<TableChanges>> Make(
      std::shared_ptr<const record::TableShape> shape);

  /// Add a change as one row, a changed key as two: `ordinal` and the one after it are its places
  /// within the transaction.
  Status Add(const RowChange& change, const Transaction& transaction, uint64_t ordinal);
  int64_t rows() const { return rows_; }
  int64_t values_nulled() const { return nulled_; }
  /// Return what was added since the last call.
  Result<record::ChangeBatch> Finish();

 private:
  TableChanges(std::shared_ptr<const record::TableShape> shape,
               std::unique_ptr<arrow::RecordBatchBuilder> builder)
      : shape_(std::move(shape)), builder_(std::move(builder)) {}
  Status AddRow(record::Op op, const Json& row, const Transaction& transaction, uint64_t ordinal,
                bool absent_is_unsent);
  Status AddMeta(record::Op op, const Transaction& transaction, uint64_t ordinal,
                 const std::string& unsent);

  const std::shared_ptr<const record::TableShape> shape_;
  const std::unique_ptr<arrow::RecordBatchBuilder> builder_;
  int64_t rows_ = 0, nulled_ = 0;
};

}  // namespace freshet::sources::sample
