// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run_progress.h"

#include <algorithm>

#include "pipeline/event_line.h"

namespace freshet::pipeline {
namespace {

using State = TableProgress::State;

void TakeCommit(const record::Event& event, TableProgress* table) {
  table->inserted += NumberOf(event, "inserted");
  table->updated += NumberOf(event, "updated");
  table->deleted += NumberOf(event, "deleted");
  table->committed_at = std::max(table->committed_at, NumberOf(event, "committed_at"));
  if (table->state != State::kSnapshot) table->state = State::kApplying;
}

void TakeFailure(const record::Event& event, State state, TableProgress* table) {
  table->state = state;
  table->failed = StatusOf(event);
}

/// What the gateway reads of a table.
void TakeReading(const record::Event& event, TableProgress* table) {
  const auto& name = event.name;
  if (name == "snapshot_started" || name == "snapshot_resumed") {
    // What is read to be compared changes nothing of what the table is until then.
    if (NumberOf(event, "difference") == 0) table->state = State::kSnapshot;
    table->snapshot_rows = NumberOf(event, "rows");
    table->rows_estimated = NumberOf(event, "rows_estimated");
    table->rows_per_second = 0;
    table->seconds_left = -1;
  } else if (name == "snapshot_progress") {
    table->snapshot_rows = NumberOf(event, "rows");
    table->rows_estimated = NumberOf(event, "rows_estimated");
    table->rows_per_second = RealOf(event, "rows_per_second", 0);
    table->seconds_left = RealOf(event, "seconds_left", -1);
  } else if (name == "snapshot_completed") {
    // The two workers' words come by two pipes: the table may be current already.
    if (table->state == State::kSnapshot) table->state = State::kApplying;
    table->snapshot_rows = table->rows_estimated = NumberOf(event, "rows");
    table->values_nulled += NumberOf(event, "values_nulled");
    table->chunks_done = table->chunks;
    return;
  }
  if (Has(event, "chunks")) table->chunks = NumberOf(event, "chunks");
  // A generation that begins has all of them before it.
  if (name == "snapshot_started") table->chunks_done = 0;
  if (Has(event, "chunks_left"))
    table->chunks_done = table->chunks - NumberOf(event, "chunks_left");
}

/// A table was compared with a new reading of it; `table_current` follows.
void TakeReread(const record::Event& event, TableProgress* table) {
  table->read_at = NumberOf(event, "read_at");
  if (!std::exchange(table->unread, false)) return;
  table->state = State::kApplying;
  table->failed = Status::Ok();
}

void TakeTableEvent(const record::Event& event, TableProgress* table) {
  const auto& name = event.name;
  table->unsaved = true;
  if (name == "table_found" && Has(event, "flow")) {
    table->flow = TextOf(event, "flow");
  } else if (name == "table_left_out") {
    TakeFailure(event, State::kLeftOut, table);
  } else if (name == "table_failed") {
    table->unread = false;
    TakeFailure(event, State::kFailed, table);
  } else if (name == "table_current") {
    // Of one whose newest reading failed it is as of the one before.
    table->state_read = State::kCurrent;
    // One that is gone has all that it had, and still it is asked for.
    const bool gone =
        table->state == State::kLeftOut && table->failed.Is(ErrorClass::NO_TABLE_MATCHES);
    if (table->unread || gone) return;
    // Of one that failed too: it was mended, for a failed one is not looked at.
    table->state = State::kCurrent;
    table->failed = Status::Ok();
  } else if (name == "table_unread") {
    if (!table->unread) table->state_read = table->state;
    table->unread = table->unread || table->state != State::kFailed;
    TakeFailure(event, State::kFailed, table);
  } else if (name == "table_readable") {
    if (!std::exchange(table->unread, false)) return;
    table->state = table->state_read;
    table->failed = Status::Ok();
  } else if (name == "table_reread") {
    TakeReread(event, table);
  } else if (table->state == State::kFailed) {
    // A failure lasts, whatever the gateway still reads of the table.
    return;
  } else if (name == "table_committed") {
    TakeCommit(event, table);
  } else {
    TakeReading(event, table);
  }
}

}  // namespace

std::string_view NameOf(State state) {
  switch (state) {
    case State::kWaiting:
      return "waiting";
    case State::kSnapshot:
      return "snapshot";
    case State::kApplying:
      return "applying";
    case State::kCurrent:
      return "current";
    case State::kFailed:
      return "failed";
    case State::kLeftOut:
      return "left_out";
  }
  return "waiting";
}

void RunProgress::Take(const record::Event& event) {
  // This run's other words of it are under the name before, and what is staged under the one after.
  const bool aside = event.name == "table_renamed" || event.name == "changes_staged";
  auto table = TextOf(event, "table");
  if (!table.empty() && !aside) TakeTableEvent(event, &tables_[table]);
  if (Has(event, "bytes_behind")) bytes_behind_ = NumberOf(event, "bytes_behind");
  if (event.name == "segment_seen") sealed_at_ = NumberOf(event, "sealed_at");
  if (event.name == "values_nulled") changes_nulled_ += NumberOf(event, "values");
}

bool RunProgress::TakeUp(const std::string& name) {
  auto found = tables_.find(name);
  if (found == tables_.end() || found->second.state != State::kFailed) return false;
  TableProgress& table = found->second;
  table.state = table.state_read = State::kWaiting;
  table.unread = false;
  table.failed = Status::Ok();
  table.unsaved = true;
  return true;
}

RunProgress::Totals RunProgress::Sum() const {
  Totals totals;
  totals.values_nulled = changes_nulled_;
  for (const auto& [name, table] : tables_) {
    ++totals.tables;
    if (table.state == State::kCurrent) ++totals.current;
    if (table.state == State::kFailed) ++totals.failed;
    if (table.state == State::kLeftOut) ++totals.left_out;
    totals.inserted += table.inserted;
    totals.updated += table.updated;
    totals.deleted += table.deleted;
    totals.values_nulled += table.values_nulled;
  }
  return totals;
}

Status RunProgress::FirstFailure() const {
  for (const auto& [name, table] : tables_) {
    if (!table.failed.ok()) return Status(table.failed).With("table", name);
  }
  return Status::Ok();
}

}  // namespace freshet::pipeline
