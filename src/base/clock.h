// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>

namespace freshet {

/// Monotonic time, for deadlines; never written anywhere.
using MonotonicTime = std::chrono::steady_clock::time_point;
/// A point on the monotonic clock by which a blocking call returns.
using Deadline = MonotonicTime;
/// Microseconds since 1970-01-01 UTC; for people and tables, orders nothing.
using UtcMicros = int64_t;

/// The two clocks and the only way to wait. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime Now() const = 0;
  virtual UtcMicros WallNow() const = 0;
  /// Return at the deadline, or at once when stop is requested.
  virtual void WaitUntil(Deadline deadline, const std::stop_token& stop) = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  MonotonicTime Now() const override;
  UtcMicros WallNow() const override;
  void WaitUntil(Deadline deadline, const std::stop_token& stop) override;
};

}  // namespace freshet
