// SPDX-License-Identifier: Apache-2.0
#include "fakes/fake_clock.h"

#include <algorithm>

namespace freshet::fakes {
namespace {

/// 2026-01-01T00:00:00Z: a wall time like any other, so that a zero stands out.
constexpr UtcMicros kWallStart = 1'767'225'600'000'000;
constexpr MonotonicTime kMonotonicStart{std::chrono::hours(1)};

}  // namespace

MonotonicTime FakeClock::Now() const {
  std::lock_guard lock(mutex_);
  return kMonotonicStart + passed_;
}

UtcMicros FakeClock::WallNow() const {
  std::lock_guard lock(mutex_);
  return kWallStart + passed_.count();
}

void FakeClock::WaitUntil(Deadline deadline, const std::stop_token& stop) {
  if (stop.stop_requested()) return;
  std::lock_guard lock(mutex_);
  auto until = std::chrono::ceil<std::chrono::microseconds>(deadline - kMonotonicStart);
  passed_ = std::max(passed_, until);
}

void FakeClock::Advance(std::chrono::microseconds duration) {
  std::lock_guard lock(mutex_);
  passed_ += duration;
}

}  // namespace freshet::fakes
