// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "apply/housekeeping.h"
#include "apply/table_form.h"
#include "base/clock.h"
#include "base/limits.h"
#include "delta/table.h"
#include "pipeline/owned_table.h"
#include "pipeline/pipeline_book.h"

namespace freshet::pipeline {

/// A pipeline's events as a Delta table: appended in their order, each once, whatever crashes in
/// between, for the number of the last one stands in the table's log beside it (its txn). Small
/// files are rewritten to fewer, as a pipeline's tables' are. Owned by who publishes; one thread.
class EventTable {
 public:
  /// Whose the table says it is.
  static TableOwner OwnerOf(const std::string& pipeline);

  /// Open the table of this folder, or make it with no event in it.
  /// Errors: TABLE_FOREIGN (another's table or files, or one that lost a column), POSITION_LOST,
  /// DELTA_*, STORE_*.
  static Result<std::unique_ptr<EventTable>> Open(std::shared_ptr<store::FileStore> folder,
                                                  const std::string& pipeline, Clock* clock);
  EventTable(const EventTable&) = delete;
  EventTable& operator=(const EventTable&) = delete;

  /// Return the number of the last event that is in the table; 0: none is.
  int64_t position() const { return position_; }
  /// Append those of the events that come after position(), in one commit. They are in the order of
  /// their numbers. Errors: TABLE_FOREIGN, POSITION_LOST, DELTA_*, STORE_*; a second try goes on.
  Status Append(std::span<const EventRecord> events);

 private:
  EventTable(std::shared_ptr<store::FileStore> folder, std::string pipeline, Clock* clock);
  Status Make();
  /// See where the table is by now.
  Status Refresh();
  Status Take(std::shared_ptr<const delta::Snapshot> state);
  Result<std::shared_ptr<arrow::RecordBatch>> RowsOf(std::span<const EventRecord> events) const;
  Status Commit(const std::string& operation, std::vector<delta::Action> actions);
  /// What may fail without harm: it is done again later.
  void Compact();
  int64_t NowMs() const { return clock_->WallNow() / 1000; }

  const std::shared_ptr<store::FileStore> folder_;
  const std::string pipeline_;
  Clock* const clock_;
  delta::Table table_;
  const std::unique_ptr<record::Observer> observer_;
  apply::Housekeeping housekeeping_;
  std::shared_ptr<const delta::Snapshot> state_;
  apply::TableForm form_;
  int64_t position_ = 0;
  // Since files were last looked at: nobody knows what was done before it was opened.
  int64_t commits_ = limits::kCommitsPerCompaction;
};

}  // namespace freshet::pipeline
