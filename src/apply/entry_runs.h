// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apply/key_index.h"
#include "store/scratch.h"

namespace freshet::apply {

/// Sort entries by key, a keyless flow's also by address; equal ones stay in their order.
std::vector<IndexEntry> SortEntries(bool keyless, std::vector<IndexEntry> entries);

/// Whether an index keeps one of the two: a keyed flow has one address a key.
bool SameEntry(bool keyless, const IndexEntry& a, const IndexEntry& b);

/// Any number of entries in order: those of each Add are put aside as a sorted run, and the runs
/// are merged as they are read. One thread.
class EntryRuns {
 public:
  /// `scratch_folder`: on a local disk, for bytes that need not survive.
  EntryRuns(std::string scratch_folder, bool keyless)
      : keyless_(keyless), scratch_(std::move(scratch_folder)) {}

  bool empty() const { return runs_.empty(); }
  bool keyless() const { return keyless_; }
  /// How many were added.
  size_t size() const { return size_; }
  /// REQUIRES: nothing was read yet. Errors: as Scratch::Append.
  Status Add(std::vector<IndexEntry> entries);
  /// Return the next in order, of those that are the same the one that was added last; nothing:
  /// that was all. Errors: as Scratch::Read.
  Result<std::optional<IndexEntry>> Next();

 private:
  /// What was put aside of a run, and a piece of it in memory.
  struct Run {
    store::Scratch::Bytes bytes;
    size_t read = 0;  // bytes of it
    std::vector<IndexEntry> piece = {};
    size_t next = 0;  // in the piece
  };
  Status Fill(Run* run);
  /// Whether run `a` comes after run `b`.
  bool After(size_t a, size_t b) const;
  Result<std::optional<IndexEntry>> Pop();

  const bool keyless_;
  store::Scratch scratch_;
  std::vector<Run> runs_;
  std::vector<size_t> heap_;  // runs that are not at their end, the least entry first
  size_t size_ = 0;
  bool reading_ = false;
  std::optional<IndexEntry> ahead_;
};

}  // namespace freshet::apply
