// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/buffer.h>

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "record/change.h"
#include "staging/manifest.h"

namespace freshet::staging {

/// Collects batches into the runs of one pack: one run a table and shape at a time, each an Arrow
/// IPC stream, one after the other. One thread.
class Pack {
 public:
  /// Add to the table's open run. REQUIRES: the open run, if any, has this shape version
  /// (`open_version`).
  void Add(const record::ChangeBatch& batch);
  /// The shape version of the table's open run, or nothing.
  std::optional<int32_t> open_version(const TableId& table) const;
  /// Write the table's open run to the pack, if there is one, and return its entry; `ordinal` is
  /// this pack's in the manifest.
  Result<std::optional<ChangeRun>> Close(const TableId& table, int ordinal);
  /// Close every open run.
  Result<std::vector<ChangeRun>> CloseAll(int ordinal);

  /// Bytes held: written runs as they are, open ones about.
  size_t bytes() const { return written_bytes_ + open_bytes_; }
  bool empty() const { return pieces_.empty() && open_.empty(); }
  /// The written runs' bytes in order; valid while the pack lives.
  std::vector<std::string_view> pieces() const;

 private:
  struct Run {
    std::shared_ptr<const record::TableShape> shape;
    arrow::RecordBatchVector batches;
    size_t bytes = 0;
  };

  std::map<TableId, Run> open_;
  std::vector<std::shared_ptr<arrow::Buffer>> pieces_;
  size_t open_bytes_ = 0;
  size_t written_bytes_ = 0;
};

/// Read a run's bytes back. Errors: STAGING_CORRUPT.
Result<arrow::RecordBatchVector> DecodeRun(std::shared_ptr<const std::string> bytes,
                                           const ChangeRun& run);

}  // namespace freshet::staging
