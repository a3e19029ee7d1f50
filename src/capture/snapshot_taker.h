// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "sources/source.h"

namespace freshet::capture {

/// Takes snapshots of the source beside the capture thread, for the source may let one wait for its
/// running transactions: changes go on meanwhile. One at a time. Used by the capture thread only;
/// the taking has a thread of its own, or is done by Start where there are to be no threads.
class SnapshotTaker {
 public:
  using Taken = Result<std::shared_ptr<sources::Snapshot>>;
  SnapshotTaker(std::function<Taken()> take, bool threaded)
      : take_(std::move(take)), threaded_(threaded) {}
  /// Joins: what is being taken is waited for.
  ~SnapshotTaker();

  bool busy() const { return busy_; }
  /// REQUIRES: !busy().
  void Start();
  /// Return what was taken, once; nothing while it is not there yet.
  std::optional<Taken> Take();

 private:
  const std::function<Taken()> take_;
  const bool threaded_;
  bool busy_ = false;
  std::mutex mutex_;
  // State below is protected by mutex_.
  std::optional<Taken> taken_;
  std::jthread thread_;
};

}  // namespace freshet::capture
