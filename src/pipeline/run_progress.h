// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "record/observer.h"

namespace freshet::pipeline {

/// Where one table stands in a run.
struct TableProgress {
  enum class State : uint8_t { kWaiting, kSnapshot, kApplying, kCurrent, kFailed, kLeftOut };
  State state = State::kWaiting;
  std::string flow;  // empty: it never got one
  int64_t snapshot_rows = 0, rows_estimated = -1;
  int64_t chunks = 0, chunks_done = 0;
  double rows_per_second = 0, seconds_left = -1;  // of the snapshot; -1: unknown
  int64_t inserted = 0, updated = 0, deleted = 0, values_nulled = 0;
  UtcMicros committed_at = 0;  // newest source commit in the table
  UtcMicros read_at = 0;       // a table that the log does not tell of: when it was last read
  bool unread = false;         // it failed because it could not be read again
  State state_read = State::kWaiting;  // what it is otherwise
  Status failed;
  bool unsaved = true;  // its status file is older than this
};
std::string_view NameOf(TableProgress::State state);

/// What a run has come to: the fold of its events, and nothing else. Not thread-safe.
class RunProgress {
 public:
  void Take(const record::Event& event);
  /// A table that failed is tried once more: false where it did not fail.
  bool TakeUp(const std::string& table);

  std::map<std::string, TableProgress>& tables() { return tables_; }
  const std::map<std::string, TableProgress>& tables() const { return tables_; }
  int64_t bytes_behind() const { return bytes_behind_; }
  UtcMicros sealed_at() const { return sealed_at_; }

  struct Totals {
    int64_t tables = 0, current = 0, failed = 0, left_out = 0;
    int64_t inserted = 0, updated = 0, deleted = 0, values_nulled = 0;
  };
  Totals Sum() const;
  /// Return the first failure of a table that was to be ingested; OK: there is none.
  Status FirstFailure() const;

 private:
  std::map<std::string, TableProgress> tables_;
  int64_t changes_nulled_ = 0;
  int64_t bytes_behind_ = -1;
  UtcMicros sealed_at_ = 0;
};

}  // namespace freshet::pipeline
