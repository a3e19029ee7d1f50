// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>

#include "base/clock.h"

namespace freshet {

/// A clock for tests and simulation: time passes only when someone waits for it or says so, so a
/// wait costs nothing and every run is the same. Thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(UtcMicros wall_start = 1'700'000'000'000'000) : wall_start_(wall_start) {}

  MonotonicTime Now() const override {
    return MonotonicTime(std::chrono::microseconds(elapsed_us_.load()));
  }
  UtcMicros WallNow() const override { return wall_start_ + elapsed_us_.load(); }
  /// Move on to the deadline at once, unless stop was requested.
  void WaitUntil(Deadline deadline, const std::stop_token& stop) override {
    if (stop.stop_requested()) return;
    Advance(std::chrono::ceil<std::chrono::microseconds>(deadline - Now()));
  }
  /// Let time pass; never backwards.
  void Advance(std::chrono::microseconds by) {
    if (by.count() > 0) elapsed_us_ += by.count();
  }

 private:
  const UtcMicros wall_start_;
  std::atomic<int64_t> elapsed_us_{0};
};

}  // namespace freshet
