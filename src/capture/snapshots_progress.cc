// SPDX-License-Identifier: Apache-2.0
// How far the snapshots that are read have come, told about every second.
#include "capture/snapshots.h"

namespace freshet::capture {
namespace {

constexpr std::chrono::seconds kProgressInterval{1};

}  // namespace

void Snapshots::TellProgress() {
  MonotonicTime now = context_.clock->Now();
  for (auto& [key, running] : running_) {
    if (now - running.told_at < kProgressInterval) continue;
    running.told_at = now;
    running.pace.Tick(now, running.rows_read->load(std::memory_order_relaxed));
    TellProgress(key, running);
  }
}

void Snapshots::TellProgress(const Key& key, Running& running) {
  SnapshotExtent extent{.chunks = running.begun.chunks,
                        .chunks_done = running.begun.chunks - running.chunks_left,
                        .rows_done = running.rows,
                        .rows_read = running.rows_read->load(std::memory_order_relaxed),
                        .rows_estimated = running.begun.rows_estimated};
  context_.Tell("snapshot_progress",
                {{"table", running.shape->name.ToString()},
                 {"flow", key.second.value()},
                 {"rows", extent.rows_read},
                 {"rows_estimated", RowsExpected(extent)},
                 {"rows_per_second", running.pace.rows_per_second()},
                 {"seconds_left", SecondsLeft(extent, running.pace.rows_per_second())},
                 {"chunks_left", running.chunks_left},
                 {"chunks", running.begun.chunks}});
}

}  // namespace freshet::capture
