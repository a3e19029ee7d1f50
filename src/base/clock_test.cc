// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/fake_clock.h"

namespace freshet {
namespace {

using std::chrono::milliseconds;

TEST(SystemClock, WaitsUntilTheDeadline) {
  SystemClock clock;
  Deadline deadline = clock.Now() + milliseconds(5);
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

TEST(FakeClock, TimePassesOnlyWhenSomeoneWaits) {
  FakeClock clock(1'000);
  MonotonicTime start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.WaitUntil(start + milliseconds(3), {});
  EXPECT_EQ(clock.Now(), start + milliseconds(3));
  EXPECT_EQ(clock.WallNow(), 4'000);
  clock.WaitUntil(start, {});
  EXPECT_EQ(clock.Now(), start + milliseconds(3)) << "never backwards";
}

TEST(FakeClock, AStoppedWaitLetsNoTimePass) {
  FakeClock clock;
  MonotonicTime start = clock.Now();
  std::stop_source stop;
  stop.request_stop();
  clock.WaitUntil(start + milliseconds(3), stop.get_token());
  EXPECT_EQ(clock.Now(), start);
}

}  // namespace
}  // namespace freshet
