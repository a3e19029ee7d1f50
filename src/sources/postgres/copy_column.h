// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "sources/postgres/copy_format.h"
#include "sources/postgres/types.h"

namespace freshet::sources::postgres {

/// Where a value lies in a block of rows. Length -1: NULL.
struct CopyField {
  uint32_t offset = 0;
  int32_t length = -1;
};

/// Rows a block holds at most: its bytes and fields stay in a core's cache while every column is
/// read from it.
inline constexpr size_t kCopyBlockRows = 256;
/// Readable bytes beyond a block's last value, so that short values are copied whole words at a
/// time.
inline constexpr size_t kCopyBlockPad = 32;

/// Turns one column's values of block after block into an Arrow array: the values of a column one
/// after the other, straight into the array's buffers, which are made as large as the last array's
/// were. Gives what a ColumnDecoder gives. One thread at a time.
class CopyColumn {
 public:
  static std::unique_ptr<CopyColumn> Make(const ColumnType& type, CopyFormat format);
  virtual ~CopyColumn() = default;

  /// Append `rows` values; after an error nothing may be appended any more. REQUIRES: the fields
  /// lie within `bytes`, beyond which there is the pad; rows <= kCopyBlockRows.
  /// Errors: SOURCE_PROTOCOL (the bytes are not what the type says), INTERNAL (out of memory).
  virtual Status Append(const char* bytes, const CopyField* fields, size_t rows) = 0;
  /// Return what was appended and begin anew.
  virtual Result<std::shared_ptr<arrow::Array>> Finish() = 0;
  /// Values that became NULL because Delta cannot hold them, ever.
  virtual int64_t values_nulled() const = 0;
};

}  // namespace freshet::sources::postgres
