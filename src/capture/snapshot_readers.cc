// SPDX-License-Identifier: Apache-2.0
#include "capture/snapshot_readers.h"

#include <exception>

#include "base/limits.h"

namespace freshet::capture {
namespace {

/// The queues are bounded by `outstanding_`, so each item counts one and neither ever blocks its
/// producer.
constexpr size_t kOne = 1;

}  // namespace

SnapshotReaders::SnapshotReaders(int threads, staging::StagingWriter* writer,
                                 store::FileStore* store)
    : limit_(limits::kChunksOutstandingMax),
      writer_(writer),
      store_(store),
      tasks_(static_cast<size_t>(limit_)),
      results_(static_cast<size_t>(limit_)) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) {
      try {
        Read(stop);
      } catch (const std::exception& error) {
        AssertFailed("a snapshot reader never throws", __FILE__, __LINE__, error.what());
      }
    });
  }
}

SnapshotReaders::~SnapshotReaders() {
  for (auto& thread : threads_) thread.request_stop();
  {
    std::lock_guard lock(mutex_);
    for (const auto& [thread, snapshot] : reading_) snapshot->Cancel();
  }
  tasks_.Close();
  results_.Close();
}

void SnapshotReaders::Hand(ChunkTask task) {
  FRESHET_ASSERT(!full());
  ++outstanding_;
  tasks_.Push(std::move(task), kOne, {});
}

std::optional<ChunkResult> SnapshotReaders::Take() {
  if (outstanding_ == 0) return std::nullopt;
  if (threads_.empty()) {
    std::optional<ChunkTask> task = tasks_.Pop(MonotonicTime(), {});
    FRESHET_ASSERT(task.has_value());
    --outstanding_;
    return ReadChunk(*task, writer_, store_, {});
  }
  std::optional<ChunkResult> result = results_.Pop(MonotonicTime(), {});
  if (result) --outstanding_;
  return result;
}

bool SnapshotReaders::Reads(std::shared_ptr<sources::Snapshot> snapshot,
                            const std::stop_token& stop) {
  std::lock_guard lock(mutex_);
  reading_.erase(std::this_thread::get_id());
  if (snapshot == nullptr || stop.stop_requested()) return false;
  reading_.emplace(std::this_thread::get_id(), std::move(snapshot));
  return true;
}

void SnapshotReaders::Read(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::optional<ChunkTask> task = tasks_.Pop(MonotonicTime::max(), stop);
    if (!task) return;
    if (!Reads(task->snapshot, stop)) return;
    ChunkResult result = ReadChunk(*task, writer_, store_, stop);
    Reads(nullptr, stop);
    // The snapshot's connection goes with its last task, here, before anyone hears of the result.
    task.reset();
    results_.Push(std::move(result), kOne, stop);
  }
}

}  // namespace freshet::capture
