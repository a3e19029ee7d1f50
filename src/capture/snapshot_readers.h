// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "capture/chunk.h"

namespace freshet::capture {

/// The threads that read chunks: tasks in, results out. With no threads a task is read by Take
/// itself, so that everything runs on the caller's thread. Hand and Take are called by the capture
/// thread only.
class SnapshotReaders {
 public:
  SnapshotReaders(int threads, staging::StagingWriter* writer, store::FileStore* store);
  /// Stop and join; chunks under way are given up, also where the source is waited for.
  ~SnapshotReaders();

  bool full() const { return outstanding_ >= (threads_.empty() ? 1 : limit_); }
  /// REQUIRES: !full().
  void Hand(ChunkTask task);
  /// Return a finished chunk, or nothing when none is ready. Never waits for a thread.
  std::optional<ChunkResult> Take();
  int outstanding() const { return outstanding_; }

 private:
  void Read(const std::stop_token& stop);
  /// Note what is read from now on, unless no more is to be; null: nothing is.
  bool Reads(std::shared_ptr<sources::Snapshot> snapshot, const std::stop_token& stop);

  const int limit_;
  staging::StagingWriter* const writer_;
  store::FileStore* const store_;
  int outstanding_ = 0;
  BoundedQueue<ChunkTask> tasks_;
  BoundedQueue<ChunkResult> results_;
  std::mutex mutex_;
  // State below is protected by mutex_.
  std::map<std::thread::id, std::shared_ptr<sources::Snapshot>> reading_;
  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace freshet::capture
