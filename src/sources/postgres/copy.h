// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/record_batch.h>

#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "sources/postgres/decode.h"

namespace freshet::sources::postgres {

/// Turns the data of `COPY … TO STDOUT (FORMAT binary)` into batches. One thread at a time.
/// Source: PostgreSQL, "COPY", "Binary Format".
class CopyDecoder {
 public:
  CopyDecoder(std::shared_ptr<arrow::Schema> schema, const std::vector<ColumnType>& types);

  /// Take one CopyData message: whole rows, the header before the first, the trailer after the
  /// last.
  /// Errors: SOURCE_PROTOCOL, SHAPE_CHANGE_UNSUPPORTED (a composite has other fields).
  Status Take(std::string_view message);
  /// Rows and bytes collected for the next batch.
  int64_t rows() const { return rows_; }
  size_t bytes() const { return bytes_; }
  /// Whether the trailer came: nothing follows it.
  bool ended() const { return ended_; }
  Result<std::shared_ptr<arrow::RecordBatch>> Finish();
  int64_t values_nulled() const;

 private:
  Status TakeRow(std::string_view* message);

  std::shared_ptr<arrow::Schema> schema_;
  std::vector<ColumnDecoder> columns_;
  int64_t rows_ = 0;
  int64_t reserved_ = 0;
  size_t bytes_ = 0;
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace freshet::sources::postgres
