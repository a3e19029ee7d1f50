// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "apply/fold.h"
#include "staging/reader.h"

namespace freshet::apply {

/// The changes of one table that one commit takes from staging.
struct StagedChanges {
  struct Run {
    std::shared_ptr<const staging::Manifest> manifest;
    const staging::ChangeRun* run = nullptr;       // in the manifest
    const staging::TableEnded* emptied = nullptr;  // instead: all rows went
  };
  record::SegmentNumber through;  // the last segment looked at: these are all changes up to it
  bool concerned = false;         // a change of the table lies there, even if the snapshot has it
  bool ended = false;             // the next segment's and later changes are a later generation's
  bool truncated = false;         // before `runs`; what came before the truncate is left out
  std::vector<Run> runs;
  std::vector<record::TableShape> shapes;  // newer than `shape_version`, in order
  int64_t bytes = 0;
  UtcMicros committed_at = 0;  // the newest of them
};

/// What is looked for.
struct ChangesWanted {
  record::FlowId flow;
  record::TableId table;
  record::Generation generation;
  record::Sequence position;  // changes at or below it are in the snapshot
  int32_t shape_version = 0;
  record::SegmentNumber after, through;
  bool keeps_past = false;  // what came before a truncate too: the truncate is one of the runs
  bool all = false;         // of all those segments, however many
};

/// Collect the table's changes of the segments (after, through]: at most limits::kApplySegmentsMax
/// segments from the first that has any, and no further segment beyond limits::kApplyBytesMax.
/// Errors: STAGING_EXPIRED, STAGING_CORRUPT.
Result<StagedChanges> ScanChanges(staging::StagingReader* staging, const ChangesWanted& wanted);

/// Gives a planner the fold's input, slice by slice.
class ChangeInput {
 public:
  virtual ~ChangeInput() = default;
  /// Return the fold's next input; nothing at the end.
  virtual Result<std::vector<FoldItem>> Next() = 0;
  /// Whether what Next returned last begins within the transaction that the slice before it
  /// consists of.
  virtual bool goes_on() const = 0;
};

/// Reads collected changes for the fold, in order, in slices of whole batches: a key change is
/// never split. Each slice is folded on what those before it made of the table, so a slice too many
/// costs time and changes nothing. A slice ends where a transaction does, but for one that fills it
/// alone.
class ChangeLoader final : public ChangeInput {
 public:
  /// Those above `position`, and up to `until`.
  ChangeLoader(staging::StagingReader* staging, const RowForm& form, const StagedChanges& changes,
               record::Sequence position, size_t fold_bytes_max,
               std::optional<record::Sequence> until = {});
  /// … of about `fold_bytes_max` at most.
  Result<std::vector<FoldItem>> Next() override;
  bool goes_on() const override { return goes_on_; }

 private:
  Status Read(const StagedChanges::Run& run);
  Result<bool> ReadMore();
  Status EndSlice(std::vector<FoldItem>* items);

  staging::StagingReader* const staging_;
  const RowForm& form_;
  const StagedChanges& changes_;
  const record::Sequence position_;
  const std::optional<record::Sequence> until_;
  const size_t fold_bytes_max_;
  bool begun_ = false, goes_on_ = false, cut_ = false;
  size_t next_run_ = 0;
  std::deque<FoldItem> read_;  // and not yet returned; not yet projected
};

}  // namespace freshet::apply
