// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace freshet {
namespace {

TEST(SystemClock, WaitsUntilTheDeadline) {
  SystemClock clock;
  Deadline deadline = clock.Now() + std::chrono::milliseconds(5);
  clock.WaitUntil(deadline, {});
  EXPECT_GE(clock.Now(), deadline);
}

TEST(SystemClock, APastDeadlineReturnsAtOnce) {
  SystemClock clock;
  MonotonicTime before = clock.Now();
  clock.WaitUntil(before - std::chrono::hours(1), {});
  EXPECT_LT(clock.Now() - before, std::chrono::seconds(10));
}

TEST(SystemClock, StopEndsAWait) {
  SystemClock clock;
  MonotonicTime before = clock.Now();
  std::jthread waiter(
      [&](const std::stop_token& stop) { clock.WaitUntil(before + std::chrono::hours(1), stop); });
  waiter.request_stop();
  waiter.join();
  EXPECT_LT(clock.Now() - before, std::chrono::minutes(1));
}

TEST(SystemClock, WallTimeIsMicrosecondsSince1970) {
  UtcMicros now = SystemClock().WallNow();
  EXPECT_GT(now, 1'700'000'000'000'000);  // 2023
  EXPECT_LT(now, 7'000'000'000'000'000);  // 2191: neither seconds nor nanoseconds
}

}  // namespace
}  // namespace freshet
