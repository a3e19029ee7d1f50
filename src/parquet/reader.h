// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "parquet/encoder.h"
#include "store/file_store.h"

namespace freshet::parquet {

/// Reads a Parquet file, ours or another engine's, column by column. One thread at a time.
class Reader {
 public:
  /// Errors: NOT_FOUND, DATA_CORRUPT.
  static Result<std::unique_ptr<Reader>> Open(std::shared_ptr<store::FileStore> store,
                                              const std::string& path);
  virtual ~Reader() = default;
  virtual int64_t rows() const = 0;
  virtual int row_groups() const = 0;
  /// First row and row count of a row group.
  virtual std::pair<int64_t, int64_t> RowsOf(int row_group) const = 0;
  /// The file's columns, as Arrow maps them.
  virtual const std::shared_ptr<arrow::Schema>& schema() const = 0;
  /// Exact statistics of the whole file from its footer.
  virtual Result<FileStatistics> Statistics() = 0;
  /// Read a row group's columns of these physical names, in this order; a column the file lacks
  /// comes as nulls of `type`.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Read(int row_group,
                                                           const arrow::FieldVector& columns) = 0;
  /// Read the rows at these ascending ordinals of the whole file.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Take(const std::vector<int64_t>& rows,
                                                           const arrow::FieldVector& columns) = 0;
};

}  // namespace freshet::parquet
