// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace freshet::capture {

/// How fast one table's snapshot goes and when it will be done. One thread.
class SnapshotPace {
 public:
  /// `rows` were read before now.
  SnapshotPace(MonotonicTime now, int64_t rows) : at_(now), rows_(rows) {}

  /// So many rows are read by now. Called about every second.
  void Tick(MonotonicTime now, int64_t rows);
  /// The recent past counts most, so that a table whose turn comes late shows its own speed.
  double rows_per_second() const { return rows_per_second_; }

 private:
  MonotonicTime at_;
  int64_t rows_;
  double rows_per_second_ = 0;
};

/// What a snapshot's chunks say about its size.
struct SnapshotExtent {
  int64_t chunks = 0, chunks_done = 0;
  int64_t rows_done = 0;        // of the chunks done
  int64_t rows_read = 0;        // and of those being read
  int64_t rows_estimated = -1;  // by the source, for the whole
};
/// Return how many rows the whole will be about: the source's estimate counts like a few chunks of
/// its average, so it fades as chunks are counted. -1: nobody knows.
int64_t RowsExpected(const SnapshotExtent& extent);
/// Return the seconds until all rows are read; -1: unknown.
double SecondsLeft(const SnapshotExtent& extent, double rows_per_second);

}  // namespace freshet::capture
