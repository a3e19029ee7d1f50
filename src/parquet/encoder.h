// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "record/ids.h"

namespace freshet::parquet {

/// A column's smallest or largest value, in its Arrow type's terms: bool; int64 (all integers,
/// days, microseconds, unscaled decimals of up to 18 digits); double (float and double); string
/// (UTF-8 or bytes whole; decimals beyond 18 digits as their unscaled integer's decimal digits).
using StatValue = std::variant<bool, int64_t, double, std::string>;

/// Exact over the whole file, or absent: in doubt a bound is left out, because a wrong one silently
/// skips rows.
struct ColumnStatistics {
  std::string name;
  std::shared_ptr<arrow::DataType> type;
  std::optional<int64_t> null_count;  // absent for lists
  std::optional<StatValue> min, max;  // absent: all null, a NaN in it, longer than 4 KiB, or a list
};

struct FileStatistics {
  int64_t rows = 0;
  std::vector<ColumnStatistics> columns;
};

struct EncodedFile {
  std::shared_ptr<arrow::Buffer> bytes;
  FileStatistics statistics;
};

/// Encodes rows to one Parquet file in memory: zstd-1 or what measurement chose, encodings chosen
/// per column from its first row group, statistics and page index written. One thread at a time.
class Encoder {
 public:
  /// `names` are the physical column names, one a field of `schema`; `ids` the Parquet field ids.
  static Result<std::unique_ptr<Encoder>> Make(std::shared_ptr<arrow::Schema> schema,
                                               std::vector<std::string> names,
                                               std::vector<record::ColumnId> ids);
  virtual ~Encoder() = default;
  /// REQUIRES: the batch has the schema's types.
  virtual Status Write(const std::shared_ptr<arrow::RecordBatch>& batch) = 0;
  /// Bytes of the file if it were finished now, about.
  virtual int64_t bytes() const = 0;
  virtual int64_t rows() const = 0;
  virtual Result<EncodedFile> Finish() = 0;
};

}  // namespace freshet::parquet
