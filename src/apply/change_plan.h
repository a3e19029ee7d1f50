// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include "apply/data_writer.h"
#include "apply/key_index.h"
#include "apply/live_rows.h"
#include "apply/staged_changes.h"
#include "apply/table_form.h"

namespace freshet::apply {

/// What a commit of changes does to a table, and how many rows it touches.
struct ChangePlan {
  std::vector<delta::Action> actions;
  std::vector<IndexEntry> entries;  // of the new files
  bool has_entries = true;          // false: too many, the index reads the files
  int64_t rows_inserted = 0, rows_updated = 0, rows_deleted = 0;
};

/// Folds staged changes and plans the commit of what they make of one version of a table.
///
///   per pass: load → fold → look keys up → read unsent values → mark old rows dead, write new ones
class ChangePlanner {
 public:
  struct Table {
    record::FlowId flow;
    std::string name;  // for messages
    std::shared_ptr<store::FileStore> store;
    std::shared_ptr<const delta::Snapshot> snapshot;
    const TableForm* form = nullptr;  // of the columns after the commit
  };
  /// REQUIRES: the index reflects the snapshot's version.
  ChangePlanner(Table table, KeyIndex* index, int64_t now_ms)
      : table_(std::move(table)),
        index_(index),
        now_ms_(now_ms),
        writer_(table_.store, *table_.form, now_ms) {}

  /// Errors: VALUE_NOT_SENT, SHAPE_CHANGE_UNSUPPORTED, CANCELLED, STORE_*.
  Result<ChangePlan> Plan(ChangeLoader* loader, const std::stop_token& stop);
  /// Remove the files of a plan that was not committed.
  void Discard() { writer_.Discard(); }

 private:
  using Addresses = std::vector<std::vector<RowAddress>>;

  Status PlanPass(const std::vector<FoldItem>& items);
  Result<Addresses> Locate(const Folded& folded);
  Result<arrow::ArrayVector> Recover(const Folded& folded, const Addresses& addresses);
  Status Erase(const Folded& folded, const Addresses& addresses);
  Status Truncate();
  Status NotSent(const Status& why) const;

  const Table table_;
  KeyIndex* const index_;
  const int64_t now_ms_;
  DataWriter writer_;
  std::optional<LiveRows> live_;
  bool truncated_ = false;
  ChangePlan plan_;
};

}  // namespace freshet::apply
