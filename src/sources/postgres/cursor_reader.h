// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "sources/postgres/copy.h"
#include "sources/postgres/cursor_table.h"

namespace freshet::sources::postgres {

/// Reads the rows of one table that may have changed, as changes, in the session's transaction. One
/// thread at a time.
class QueriedReader {
 public:
  /// Ask for the rows for which `condition` is true. `shape` is the table's. The session is the
  /// caller's, and must do nothing else until the end.
  static Result<std::unique_ptr<QueriedReader>> Open(
      Connection* connection, const QueriedTable& table,
      std::shared_ptr<const record::TableShape> shape, const std::string& condition);

  /// Return the next changes, numbered from `at` on and after, null at the end.
  Result<std::shared_ptr<arrow::RecordBatch>> Next(uint32_t epoch, uint64_t position,
                                                   uint64_t* ordinal, UtcMicros committed_at);
  int64_t values_nulled() const { return decoder_.values_nulled(); }
  const std::shared_ptr<const record::TableShape>& shape() const { return shape_; }

 private:
  QueriedReader(Connection* connection, std::shared_ptr<const record::TableShape> shape,
                std::shared_ptr<arrow::Schema> schema, const std::vector<ColumnType>& types,
                CopyFormat format)
      : connection_(connection),
        shape_(std::move(shape)),
        decoder_(std::move(schema), types, format) {}
  Status TakeMessages();

  Connection* const connection_;
  const std::shared_ptr<const record::TableShape> shape_;
  CopyDecoder decoder_;
  bool copying_ = true;
};

}  // namespace freshet::sources::postgres
