// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "apply/change_plan.h"
#include "apply/closed_versions.h"
#include "apply/compaction_pace.h"
#include "apply/housekeeping.h"
#include "apply/live_rows.h"
#include "apply/staged_changes.h"
#include "apply/staged_chunks.h"
#include "apply/table_applier.h"
#include "apply/table_form.h"

namespace freshet::apply {

/// A commit in the making, and what it was made for.
struct Draft {
  std::string operation;
  std::vector<delta::Action> actions;
  Applied applied;
  Positions positions;        // after it
  bool keeps_row_ids = true;  // of rows that are written again
};

/// Staging → one location: the steps of TableApplier, but that a complete generation stays when a
/// later one begins. RefreshingApplier has two of them while a table is read again.
class StagingApplier final : public TableApplier {
 public:
  StagingApplier(Flow flow, Context context)
      : flow_(std::move(flow)),
        context_(std::move(context)),
        names_(flow_.id),
        table_(context_.table),
        housekeeping_(&table_, flow_.source.ToString(), context_.commits_per_checkpoint,
                      context_.clock, context_.observer),
        pace_(context_.compaction, context_.clock) {}

  Result<Positions> Current() override;
  Result<Applied> Apply(record::SegmentNumber through, const std::stop_token& stop) override;

  /// The state of the last look; null: no table yet.
  const std::shared_ptr<const delta::Snapshot>& state() const { return known_; }
  const Positions& positions() const { return positions_; }
  /// Whether the table has a whole generation.
  bool complete() const { return known_ != nullptr && mark_.complete; }
  /// What names the generation's entries in the key index.
  record::FlowId IndexName() const;
  /// Bring the index's entries to the known state.
  Status IndexKnown(const TableForm& form, const std::stop_token& stop) const;
  /// The state of the index that reflects the last look. REQUIRES: there is a table.
  Result<KeyIndex::Mark> IndexMark() const;
  /// Become what another location holds, in one commit. REQUIRES: its files are in this location
  /// too; no change up to this table's position is missing there.
  /// Errors: DELTA_CONFLICT (look again), as Apply.
  Result<Applied> Replace(const StagingApplier& other);
  /// Take another flow's table, as it was last looked at, for this one's: the next step has to be
  /// Replace.
  void TakeOver(const StagingApplier& former) { known_ = former.known_; }

  /// Whether the table holds more than its source does: closed versions, or deleted rows.
  bool keeps_past() const {
    return known_ != nullptr &&
           (mark_.history.scd_type == ScdType::kType2 || mark_.history.soft_delete);
  }
  /// Make the rows in force what another location holds, in one commit; what differs is closed and
  /// opened as of the time when that was read at the source. REQUIRES: as Replace.
  /// Errors: DELTA_CONFLICT (look again), KEY_CHANGED, SHAPE_CHANGE_UNSUPPORTED, as Apply.
  Result<Applied> TakeRowsOf(const StagingApplier& other, const std::stop_token& stop);

 private:
  Status Named(const Status& status) const;
  /// Whether this is a later generation that is built beside its table.
  bool IsShadow() const { return context_.shadow == nullptr; }
  int64_t NowMs() const { return context_.clock->WallNow() / 1000; }

  Status Refresh();
  Status ReadPositions(const delta::Snapshot& snapshot, TableMark* mark, Positions* positions);
  Result<Applied> Step(record::SegmentNumber through, const std::stop_token& stop);
  Result<Applied> Settled(Applied applied, const staging::Checkpoint& latest,
                          const staging::TableState& state) const;

  Result<Applied> Create(const staging::GenerationBegun& begun, const staging::TableState& state);
  Result<Applied> ReadOn(const staging::GenerationBegun& begun, const staging::Checkpoint& latest,
                         const staging::TableState& state, record::SegmentNumber through,
                         const std::stop_token& stop);
  Result<std::optional<Applied>> Chunks(const std::optional<staging::GenerationBegun>& successor,
                                        const staging::TableState& state,
                                        record::SegmentNumber through);
  Status CheckRest() const;
  Result<std::optional<Applied>> TakeRest(const staging::GenerationBegun& begun,
                                          const staging::TableState& state,
                                          record::SegmentNumber through,
                                          const std::stop_token& stop);
  Result<Draft> DraftChunks(const std::optional<staging::GenerationBegun>& successor,
                            const StagedChunks& chunks, const staging::TableState& state);
  Result<std::optional<Applied>> TakeDifference(const staging::GenerationState& generation,
                                                const staging::TableState& state,
                                                record::SegmentNumber through,
                                                const std::stop_token& stop);
  Result<Applied> CommitDifference(const staging::GenerationBegun& begun,
                                   const staging::TableState& state, record::SegmentNumber through,
                                   StagedChunks* chunks, const std::stop_token& stop);
  void TellReread(const staging::GenerationBegun& begun, const StagedChunks& chunks,
                  const Applied& applied) const;
  /// The table's changes that it does not have yet, up to there.
  ChangesWanted WantedChanges(record::SegmentNumber through) const;
  /// All of them, however many. Short of `through`: the rest are a later generation's.
  Result<StagedChanges> AllChanges(record::SegmentNumber through) const;
  Result<std::optional<Applied>> Changes(record::SegmentNumber through,
                                         const std::stop_token& stop);
  Result<Draft> DraftChanges(const StagedChanges& changes, TableMark mark,
                             record::SegmentNumber through, TableForm* form);
  Result<Applied> CommitChanges(const StagedChanges& changes, const std::stop_token& stop);
  Result<Applied> CommitInput(Draft draft, const TableForm& form, bool truncated,
                              ChangeInput* input, const std::stop_token& stop);
  Result<std::vector<delta::Action>> EvolveColumns(const std::vector<record::TableShape>& shapes,
                                                   TableMark mark, TableForm* form);
  bool HasColumnsRead(const staging::TableState& state,
                      const staging::GenerationState& newest) const;
  std::optional<record::SegmentNumber> HeldAfter(const staging::TableState& state) const;
  std::optional<record::SegmentNumber> HeldForLater(const staging::TableState& state,
                                                    const staging::GenerationState& newest) const;
  Result<std::optional<Applied>> TakeColumnsRead(const staging::TableState& state,
                                                 record::SegmentNumber through,
                                                 const std::stop_token& stop);
  /// Rewrite files that are worth it; nothing: there are none, or it is not the time to look.
  /// `waits`: there are changes that wait for it.
  Result<std::optional<Applied>> Compact(bool waits, const std::stop_token& stop);
  Result<std::optional<Applied>> CommitCompaction(Compaction* compaction);
  Result<Applied> Commit(Draft draft);
  void TellUpgraded(const delta::Protocol& before) const;
  /// Commit what changes no row, and tell it: what became other, in words.
  Result<std::optional<Applied>> Describe(const std::string& operation,
                                          std::vector<delta::Action> actions,
                                          const std::string& event, const std::string& field,
                                          const std::vector<std::string>& words);
  /// Give the table the properties asked for; nothing: it has them.
  Result<std::optional<Applied>> TakeProperties();
  /// Drop the columns that the source has no more, if that is asked for; nothing: there are none.
  Result<std::optional<Applied>> DropColumns();
  /// Turn the table into one of the history asked for; nothing: it is.
  Result<std::optional<Applied>> SwitchHistory(bool logged, const std::stop_token& stop);
  Result<UtcMicros> TakenAt() const;
  Result<UtcMicros> SourceTime() const;
  Result<std::vector<delta::Column>> ColumnsWith(const StagingApplier& other,
                                                 std::vector<record::ColumnId>* inactive) const;
  std::unique_ptr<ChangePlanner> PlannerOf(const TableForm& form);
  Result<TableMark> MarkOf(const staging::GenerationBegun& begun, const record::TableShape& shape,
                           std::vector<delta::Column>* columns) const;

  const Flow flow_;
  const Context context_;
  const TxnNames names_;
  delta::Table table_;
  std::shared_ptr<const delta::Snapshot> known_;  // null: no table yet
  FilePaths paths_;                               // of known_, as far as it was asked about
  TableMark mark_;                                // of known_
  Positions positions_;                           // of known_
  Housekeeping housekeeping_;
  record::SegmentNumber scanned_;  // no change of the table lies in the segments up to here
  bool ended_ = false;             // no later change is the generation's
  // The newest generation that the table was compared with: how far that came is not the log's to
  // say, for where nothing differs nothing is committed, and comparing again changes nothing.
  record::Generation compared_;
  /// The generation whose rest does not make the table, and why.
  struct RestFailed {
    record::Generation generation;
    Status why;
  };
  std::optional<RestFailed> rest_failed_;
  bool reread_ = false;      // and nobody was told yet
  bool told_named_ = false;  // that inactive columns stay
  ClosedVersions closed_;
  CompactionPace pace_;
};

}  // namespace freshet::apply
