// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "pipeline/destination.h"

namespace freshet::pipeline {

/// One table as `freshet status` shows it.
struct TableReport {
  std::string table, folder;
  std::string state;           // current, snapshot, refresh, behind, failed, left_out, waiting
  int64_t rows = -1;           // in the Delta table now; -1: there is none
  int64_t version = -1;        // of the Delta table
  int64_t snapshot_rows = -1;  // staged so far, while a snapshot is read
  int64_t rows_estimated = -1;
  int64_t chunks = -1, chunks_done = -1;
  double rows_per_second = -1, seconds_left = -1;  // while a run reads it; -1: not known
  double lag_seconds = -1;  // how long ago the table was known to hold everything; -1: never yet
  int64_t lag_bytes = 0;    // staged for this table and not in it yet
  /// When a table that the log does not tell of was last read and compared; 0: it is none, or never
  /// yet.
  UtcMicros read_at = 0;
  Status error;  // of the last run
};
/// A destination as a whole.
struct StatusReport {
  bool running = false;
  int64_t source_bytes_behind = -1;  // held by the source when it was last heard; -1: never
  UtcMicros captured_at = 0;         // when staging last heard from the source
  Status last_run;
  std::vector<TableReport> tables;
};

/// Read how far everything has come: from the tables' logs, staging and the status files; at any
/// time, also beside a run.
/// Errors: NOT_FOUND, DATA_CORRUPT, STAGING_CORRUPT, STORE_*. One table's trouble is that table's
/// `error`.
Result<StatusReport> ReadStatus(const Destination& destination, Clock* clock);

/// A table for people, or one JSON line for the destination and one a table.
std::string ToText(const StatusReport& report);
std::string ToJsonLines(const StatusReport& report);

}  // namespace freshet::pipeline
