// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "apply/fold.h"
#include "staging/reader.h"

namespace freshet::apply {

/// The changes of one table that one commit takes from staging.
struct StagedChanges {
  struct Run {
    std::shared_ptr<const staging::Manifest> manifest;
    const staging::ChangeRun* run = nullptr;  // in the manifest
  };
  record::SegmentNumber through;  // the last segment looked at: these are all changes up to it
  bool concerned = false;         // a change of the table lies there, even if the snapshot has it
  bool truncated = false;         // before `runs`; what came before the truncate is left out
  std::vector<Run> runs;
  std::vector<record::TableShape> shapes;  // newer than `shape_version`, in order
  int64_t bytes = 0;
  bool has_missing = false;
  UtcMicros committed_at = 0;  // the newest of them
};

/// What is looked for.
struct ChangesWanted {
  record::TableId table;
  record::Sequence position;  // changes at or below it are in the snapshot
  int32_t shape_version = 0;
  record::SegmentNumber after, through;
};

/// Collect the table's changes of the segments (after, through]: at most limits::kApplySegmentsMax
/// segments from the first that has any, and no further segment beyond limits::kApplyBytesMax.
/// Errors: STAGING_EXPIRED, STAGING_CORRUPT.
Result<StagedChanges> ScanChanges(staging::StagingReader* staging, const ChangesWanted& wanted);

/// Reads collected changes for the fold, in passes by key hash where they are too many to keep at
/// once. Keys that a key change with unsent columns joins are in one pass.
class ChangeLoader {
 public:
  ChangeLoader(staging::StagingReader* staging, const RowForm& form, const StagedChanges& changes,
               record::Sequence position, size_t fold_bytes_max);
  /// REQUIRES: called before Load.
  Status Prepare();
  uint64_t passes() const { return passes_; }
  /// Return the fold's input of one pass.
  Result<std::vector<FoldItem>> Load(uint64_t pass);

 private:
  Result<std::vector<FoldBatch>> Read(const StagedChanges::Run& run);
  KeyHash RootOf(KeyHash key);
  void Join(const FoldBatch& batch);

  staging::StagingReader* const staging_;
  const RowForm& form_;
  const StagedChanges& changes_;
  const record::Sequence position_;
  uint64_t passes_ = 1;
  std::map<KeyHash, KeyHash> joined_;  // a key → one it goes with; roots are absent
};

}  // namespace freshet::apply
