// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "apply/key_index.h"
#include "delta/deletion_vector.h"
#include "delta/table.h"

namespace freshet::apply {

/// The paths of a table's files by the hashes that stand for them in addresses: read once, then
/// told what each commit adds, so that a commit costs what it touches. Files that went are known a
/// while longer. One thread.
class FilePaths {
 public:
  /// Know every file of this version. Errors: INTERNAL (two paths with one hash).
  Status Follow(const delta::Snapshot& snapshot);
  /// Know what this commit added, if the version before it was known.
  Status Follow(const delta::Snapshot& snapshot, const std::vector<std::string>& added);
  /// Return the path; null: no file of the table has this hash.
  const std::string* Find(uint64_t hash) const;

 private:
  Status Add(const std::string& path, const delta::Snapshot& snapshot);

  int64_t version_ = -1;
  std::unordered_map<uint64_t, std::string> paths_;
};

/// The rows of a table that live at one version, and those that a commit on it adds and marks dead.
/// Loads a file's deletion vector when it is first asked about. One thread.
class LiveRows {
 public:
  /// REQUIRES: `paths` knows the snapshot's version.
  LiveRows(std::shared_ptr<store::FileStore> table, std::shared_ptr<const delta::Snapshot> snapshot,
           const FilePaths* paths)
      : table_(std::move(table)), snapshot_(std::move(snapshot)), paths_(paths) {}

  /// Count a new file's rows too: they can be found and killed like the others.
  void Add(delta::AddFile file);
  /// Return the file the row lives in; null: it is dead, or its file is not the table's.
  Result<const delta::AddFile*> Find(const RowAddress& address);
  /// Return the files that may have living rows, the new ones too.
  std::vector<const delta::AddFile*> Files() const;
  /// Mark a row dead. REQUIRES: Find returned its file.
  void Kill(const RowAddress& address);
  /// Mark every row dead that the version has; returns how many there were (files without
  /// statistics don't count).
  int64_t KillAll();

  /// Whether some rows died, and not just all that there were.
  bool marks_rows() const;
  /// Tell which rows die of each file that the version has, and which live of each new one, as
  /// ascending ordinals, some at a time. To be called before ToActions.
  using Tell = std::function<Status(const delta::AddFile& file, bool came,
                                    const std::vector<int64_t>& rows)>;
  Status EachFate(const Tell& tell);
  /// How many rows EachFate tells of.
  Result<int64_t> CountFates();
  /// Return the files of which some rows live and others died, and what is dead of each. The caller
  /// writes those that live anew: the actions only remove the files.
  struct Torn {
    delta::AddFile file;
    delta::DeletionVector dead;
  };
  Result<std::vector<Torn>> TakeTorn();
  /// Return what the commit says of it: vectors old ∪ new, written to one file; a file without a
  /// living row is removed, or not added at all. To be called once.
  Result<std::vector<delta::Action>> ToActions(int64_t now_ms);

 private:
  struct File {
    const delta::AddFile* add = nullptr;  // null: not the table's
    bool touched = false, fresh = false, torn = false;
    delta::DeletionVector dead;
  };
  Result<File*> Get(uint64_t hash);
  Result<int64_t> RowsOf(const delta::AddFile& file);
  /// In the order of their paths.
  std::vector<File*> Touched();

  std::shared_ptr<store::FileStore> table_;
  std::shared_ptr<const delta::Snapshot> snapshot_;
  const FilePaths* paths_;
  std::unordered_map<uint64_t, File> files_;  // those asked about, by the path's hash
  std::deque<delta::AddFile> added_;          // in the order they came
  bool all_dead_ = false;
};

/// The remove action of a file as it is now.
delta::RemoveFile RemoveOf(const delta::AddFile& file, int64_t now_ms);

}  // namespace freshet::apply
