// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apply/fold.h"
#include "apply/table_form.h"
#include "parquet/encoder.h"
#include "store/file_store.h"

namespace freshet::apply {

/// Encodes rows to new data files of a table, normally one. The files count only once a commit
/// names them; Discard removes those of a commit that lost.
class DataWriter {
 public:
  DataWriter(std::shared_ptr<store::FileStore> table, const TableForm& form, int64_t now_ms)
      : table_(std::move(table)), form_(form), now_ms_(now_ms) {}

  /// What rows were before they are written again, if the table's rows have ids; null: they are
  /// new.
  struct RowIds {
    std::shared_ptr<arrow::Array> ids, versions;  // of int64; null where a row is new
  };
  /// Return where the first of the rows lies; the others follow it.
  /// REQUIRES: the rows have the form's columns.
  Result<RowAddress> Write(const std::shared_ptr<arrow::RecordBatch>& rows, const RowIds& ids = {});
  /// Finish the file begun and return the add actions of all that the last call did not return.
  Result<std::vector<delta::AddFile>> Finish();
  void Discard();

  int64_t rows() const { return rows_; }

 private:
  Status FinishFile();
  Status Begin();
  Result<std::shared_ptr<arrow::RecordBatch>> WithIds(
      const std::shared_ptr<arrow::RecordBatch>& rows, const RowIds& ids) const;

  const std::shared_ptr<store::FileStore> table_;
  const TableForm& form_;
  const int64_t now_ms_;
  std::unique_ptr<parquet::Encoder> encoder_;
  std::shared_ptr<arrow::Schema> schema_;  // of the files
  std::string path_;
  uint64_t path_hash_ = 0;
  std::vector<delta::AddFile> files_;
  std::vector<std::string> paths_;  // of all files
  int64_t rows_ = 0;
};

}  // namespace freshet::apply
