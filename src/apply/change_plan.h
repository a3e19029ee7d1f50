// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <vector>

#include "apply/change_feed.h"
#include "apply/data_writer.h"
#include "apply/key_index.h"
#include "apply/live_rows.h"
#include "apply/row_places.h"
#include "apply/staged_changes.h"
#include "apply/table_form.h"
#include "apply/torn_files.h"

namespace freshet::apply {

/// What a commit of changes does to a table, and how many rows it touches.
struct ChangePlan {
  std::vector<delta::Action> actions;
  std::vector<IndexEntry> entries;  // of the new files
  std::vector<IndexEntry> gone;     // of a keyless table: rows that die, as many as are kept
  bool has_entries = true;          // false: too many, the index reads the files
  int64_t rows_inserted = 0, rows_updated = 0, rows_deleted = 0;
};

/// Folds staged changes and plans the commit of what they make of one version of a table: the last
/// state of each row. Others plan more of its states (history_plan.h).
///
///   per slice: load → fold → look keys up → read unsent values → mark old rows dead, write new
///     ones
///
/// A later slice finds the rows of those before it in their files, which are finished then, through
/// entries that are kept apart in the index: only a commit makes them the flow's.
class ChangePlanner {
 public:
  struct Table {
    record::FlowId flow;
    std::string name;  // for messages
    std::shared_ptr<store::FileStore> store;
    std::shared_ptr<const delta::Snapshot> snapshot;
    const TableForm* form = nullptr;   // of the columns after the commit
    const FilePaths* paths = nullptr;  // of the snapshot's version
    FeedRules feed = {};
  };
  /// REQUIRES: the index reflects the snapshot's version.
  ChangePlanner(Table table, KeyIndex* index, int64_t now_ms)
      : table_(std::move(table)),
        index_(index),
        now_ms_(now_ms),
        writer_(table_.store, *table_.form, now_ms),
        live_(table_.store, table_.snapshot, table_.paths),
        feed_(table_.store, *table_.form, table_.feed),
        kept_(table_.flow.value() + "/pending") {}
  virtual ~ChangePlanner() = default;

  /// Errors: VALUE_NOT_SENT, SHAPE_CHANGE_UNSUPPORTED, CANCELLED, STORE_*.
  Result<ChangePlan> Plan(ChangeInput* input, const std::stop_token& stop);
  /// Remove the files of a plan that was not committed.
  void Discard() {
    writer_.Discard();
    feed_.Discard();
    if (copies_ != nullptr) copies_->Discard();
  }

 protected:
  using Addresses = std::vector<std::vector<RowAddress>>;

  /// Plan one slice; `goes_on` as ChangeInput says.
  virtual Status PlanSlice(const std::vector<FoldItem>& items, bool goes_on);
  /// Write the rows of puts.
  virtual Status Write(const KeyedRows& rows) { return WriteRows(rows, true).status(); }
  /// Return where the first of the rows lies. `same_rows`: they are what the rows of their keys
  /// become, and keep those's ids.
  Result<RowAddress> WriteRows(const KeyedRows& rows, bool same_rows);
  /// Read the ids of the rows that are erased, where rows have ids; with `replaced` of those alone
  /// that a put replaces.
  Status ReadRowIds(const Folded& folded, const Addresses& addresses, bool replaced);
  /// Let a row of a file have what it becomes under WriteRows its id: of `kept`, the ids that its
  /// file names, the one at `ordinal`, else that of its place.
  void KeepRowId(const KeyHash& key, const delta::AddFile& file, int64_t row,
                 const arrow::Int64Array& kept, int64_t ordinal);
  void ForgetRowIds() { row_ids_.clear(); }
  /// The living rows of each erased key, no more than it erases.
  Result<Addresses> Locate(const Folded& folded);
  Status WritePuts(const std::vector<FoldItem>& items, const Folded& folded,
                   const Addresses& addresses);

 private:
  Status EndSlice();
  Status CopyTorn(const std::stop_token& stop);
  Result<DataWriter::RowIds> RowIdsOf(const KeyedRows& rows) const;
  Status KeepEntries();
  Status WritePatched(const Folded& folded, const Addresses& addresses, PutReader* reader);
  Result<std::vector<RowPlace>> PlacesOf(const Folded& folded, const Addresses& addresses);
  Status Erase(const Folded& folded, const Addresses& addresses);
  Status NotSent(const Status& why) const;

 protected:
  const Table table_;
  KeyIndex* const index_;
  const int64_t now_ms_;
  DataWriter writer_;
  LiveRows live_;
  ChangeFeed feed_;
  std::unique_ptr<Compaction> copies_;  // of a table without deletion vectors
  ChangePlan plan_;

 private:
  const record::FlowId kept_;  // under which the index knows the rows of earlier slices
  bool keeps_ = false;
  size_t next_kept_ = 0;                // of plan_.entries, the first that is not kept yet
  std::map<KeyHash, int64_t> row_ids_;  // of the slice's erased rows
};

}  // namespace freshet::apply
