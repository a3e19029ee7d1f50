// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/record_batch.h>

#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "sources/postgres/copy_column.h"

namespace freshet::sources::postgres {

/// Turns the data of `COPY … TO STDOUT`, binary or text, into batches. One thread at a time.
///
///   Take    a row's bytes go into the block, and where each value lies beside them
///   block full, or Finish: column by column, the block's values into the column's array
///
/// Source: PostgreSQL, "COPY", "Text Format" and "Binary Format".
class CopyDecoder {
 public:
  CopyDecoder(std::shared_ptr<arrow::Schema> schema, const std::vector<ColumnType>& types,
              CopyFormat format);

  /// Take one CopyData message: whole rows; in binary the header before the first, the trailer
  /// after the last. A bad value may be told by a later call.
  /// Errors: SOURCE_PROTOCOL, SHAPE_CHANGE_UNSUPPORTED (a composite has other fields).
  Status Take(std::string_view message);
  /// Rows and bytes collected for the next batch.
  int64_t rows() const { return rows_; }
  size_t bytes() const { return bytes_; }
  /// Say that no message follows. Errors: SOURCE_PROTOCOL (binary data without its trailer).
  Status End() const;
  Result<std::shared_ptr<arrow::RecordBatch>> Finish();
  int64_t values_nulled() const;

 private:
  Status TakeHeader(std::string_view* message);
  Status TakeRow(std::string_view* message);
  Status TakeTextRow(std::string_view* message);
  /// Return where the block's next `size` bytes go, the pad behind them.
  char* RoomFor(size_t size);
  /// The row whose fields are set is whole: these bytes of the block are its.
  Status EndRow(size_t size);
  Status DecodeBlock();
  size_t width() const { return columns_.size(); }

  std::shared_ptr<arrow::Schema> schema_;
  const CopyFormat format_;
  std::vector<std::unique_ptr<CopyColumn>> columns_;
  // The block: rows not decoded yet.
  std::vector<char> block_;
  size_t block_bytes_ = 0;
  size_t block_rows_ = 0;
  std::vector<CopyField> fields_;  // column by column

  int64_t rows_ = 0;
  size_t bytes_ = 0;
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace freshet::sources::postgres
