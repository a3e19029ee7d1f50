// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <condition_variable>
#include <mutex>

namespace freshet {

MonotonicTime SystemClock::Now() const { return std::chrono::steady_clock::now(); }

UtcMicros SystemClock::WallNow() const {
  auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count();
}

void SystemClock::WaitUntil(Deadline deadline, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_until(lock, stop, deadline, [] { return false; });
}

}  // namespace freshet
