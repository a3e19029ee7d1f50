// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "apply/key_index.h"
#include "delta/deletion_vector.h"
#include "delta/table.h"

namespace freshet::apply {

/// The rows of a table that live at one version, and those that a commit on it marks dead. Loads a
/// file's deletion vector when it is first asked about. One thread.
class LiveRows {
 public:
  /// Errors: INTERNAL (two paths with one hash).
  static Result<LiveRows> Of(std::shared_ptr<store::FileStore> table,
                             std::shared_ptr<const delta::Snapshot> snapshot);

  /// Return the file the row lives in; null: it is dead, or its file is not the table's.
  Result<const delta::AddFile*> Find(const RowAddress& address);
  /// Mark a row dead. REQUIRES: Find returned its file.
  void Kill(const RowAddress& address);
  /// Mark every row dead; returns how many there were (files without statistics don't count).
  Result<int64_t> KillAll();

  /// Return what the commit says of it: vectors old ∪ new, written to one file; a file without a
  /// living row is removed.
  Result<std::vector<delta::Action>> ToActions(int64_t now_ms);

 private:
  struct File {
    const delta::AddFile* add = nullptr;
    bool loaded = false, touched = false;
    delta::DeletionVector dead;
  };
  Status Load(File* file);

  std::shared_ptr<store::FileStore> table_;
  std::shared_ptr<const delta::Snapshot> snapshot_;
  std::unordered_map<uint64_t, File> files_;  // by the path's hash
  bool all_dead_ = false;
};

/// The remove action of a file as it is now.
delta::RemoveFile RemoveOf(const delta::AddFile& file, int64_t now_ms);

}  // namespace freshet::apply
