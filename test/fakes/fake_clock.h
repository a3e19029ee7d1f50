// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>

#include "base/clock.h"

namespace freshet::fakes {

/// A clock that stands still until it is told to move; waiting moves it to the deadline at once, so
/// nothing ever sleeps. Thread-safe.
class FakeClock final : public Clock {
 public:
  MonotonicTime Now() const override;
  UtcMicros WallNow() const override;
  void WaitUntil(Deadline deadline, const std::stop_token& stop) override;

  void Advance(std::chrono::microseconds duration);

 private:
  mutable std::mutex mutex_;
  // State below is protected by mutex_.
  std::chrono::microseconds passed_{0};
};

}  // namespace freshet::fakes
