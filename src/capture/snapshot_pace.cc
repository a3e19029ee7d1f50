// SPDX-License-Identifier: Apache-2.0
#include "capture/snapshot_pace.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace freshet::capture {
namespace {

/// What is older than this counts for a third and less.
constexpr double kMemorySeconds = 10;
/// The source's estimate weighs as much as so many chunks that were counted.
constexpr double kEstimateChunks = 2;

}  // namespace

void SnapshotPace::Tick(MonotonicTime now, int64_t rows) {
  double seconds = std::chrono::duration<double>(now - at_).count();
  if (seconds <= 0) return;
  double recent = static_cast<double>(rows - rows_) / seconds;
  at_ = now;
  rows_ = rows;
  if (rows_per_second_ <= 0) {
    rows_per_second_ = recent;
  } else {
    rows_per_second_ += (1 - std::exp(-seconds / kMemorySeconds)) * (recent - rows_per_second_);
  }
}

int64_t RowsExpected(const SnapshotExtent& extent) {
  auto chunks = static_cast<double>(extent.chunks);
  double counted = static_cast<double>(extent.rows_done);
  double weight = static_cast<double>(extent.chunks_done);
  if (extent.rows_estimated > 0) {
    counted += kEstimateChunks * static_cast<double>(extent.rows_estimated) / chunks;
    weight += kEstimateChunks;
  }
  if (weight <= 0) return -1;
  if (extent.chunks_done == extent.chunks) return extent.rows_done;
  return std::max(extent.rows_read, static_cast<int64_t>(std::llround(counted / weight * chunks)));
}

double SecondsLeft(const SnapshotExtent& extent, double rows_per_second) {
  int64_t expected = RowsExpected(extent);
  if (expected < 0 || rows_per_second <= 0) return -1;
  return static_cast<double>(expected - extent.rows_read) / rows_per_second;
}

}  // namespace freshet::capture
