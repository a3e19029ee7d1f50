// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/clock.h"

namespace freshet {

/// A queue bounded in bytes between two stages; a full queue blocks the producer, which is the only
/// back-pressure there is. One item always fits, however large. Thread-safe. `Close` ends it: what
/// is queued can still be taken.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Wait for room, then add; false when the queue is closed or stop was requested, and the item is
  /// dropped.
  bool Push(T item, size_t bytes, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop,
                  [&] { return closed_ || items_.empty() || bytes_ + bytes <= bytes_max_; });
    if (closed_ || stop.stop_requested()) return false;
    items_.emplace_back(std::move(item), bytes);
    bytes_ += bytes;
    changed_.notify_all();
    return true;
  }

  /// As Push, but give up at the deadline and leave `item` as it is: for a producer with a duty
  /// besides.
  bool PushUntil(T* item, size_t bytes, Deadline deadline, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    bool room = changed_.wait_until(lock, stop, deadline, [&] {
      return closed_ || items_.empty() || bytes_ + bytes <= bytes_max_;
    });
    if (!room || closed_ || stop.stop_requested()) return false;
    items_.emplace_back(std::move(*item), bytes);
    bytes_ += bytes;
    changed_.notify_all();
    return true;
  }

  /// Take the oldest item; nothing at the deadline, on stop, or when the queue is closed and empty.
  std::optional<T> Pop(Deadline deadline, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, stop, deadline, [&] { return closed_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    auto [item, bytes] = std::move(items_.front());
    items_.pop_front();
    bytes_ -= bytes;
    changed_.notify_all();
    return std::move(item);
  }

  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  bool closed_and_empty() const {
    std::lock_guard lock(mutex_);
    return closed_ && items_.empty();
  }

 private:
  const size_t bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  // State below is protected by mutex_.
  std::deque<std::pair<T, size_t>> items_;
  size_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace freshet
