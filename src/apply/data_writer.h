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

/// Encodes rows to new data files of a table, normally one, and remembers where each key went. The
/// files count only once a commit names them; Discard removes those of a commit that lost.
class DataWriter {
 public:
  DataWriter(std::shared_ptr<store::FileStore> table, const TableForm& form, int64_t now_ms)
      : table_(std::move(table)), form_(form), now_ms_(now_ms) {}

  /// REQUIRES: the rows have the form's columns.
  Status Write(const KeyedRows& rows);
  /// Finish the last file and return the add actions.
  Result<std::vector<delta::AddFile>> Finish();
  void Discard();

  /// Where the rows lie, unless there were too many to keep (limits::kIndexIngestEntriesMax): then
  /// the index has to read the files.
  bool has_entries() const { return !entries_dropped_; }
  std::vector<IndexEntry> TakeEntries() { return std::move(entries_); }
  int64_t rows() const { return rows_; }

 private:
  Status FinishFile();

  const std::shared_ptr<store::FileStore> table_;
  const TableForm& form_;
  const int64_t now_ms_;
  std::unique_ptr<parquet::Encoder> encoder_;
  std::string path_;
  uint64_t path_hash_ = 0;
  std::vector<delta::AddFile> files_;
  std::vector<IndexEntry> entries_;
  bool entries_dropped_ = false;
  int64_t rows_ = 0;
};

}  // namespace freshet::apply
