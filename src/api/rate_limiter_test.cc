// SPDX-License-Identifier: Apache-2.0
#include "api/rate_limiter.h"

#include <gtest/gtest.h>

#include "fakes/fake_clock.h"

namespace freshet::api {
namespace {

using std::chrono::seconds;

TEST(RateLimiter, GivesAMinutesWorthAndThenItsRate) {
  fakes::FakeClock clock;
  RateLimiter limiter(&clock, 6);
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(limiter.Take("ann").has_value());
  EXPECT_EQ(limiter.Take("ann"), 10);
  EXPECT_FALSE(limiter.Take("bob").has_value());
  clock.Advance(seconds(4));
  EXPECT_EQ(limiter.Take("ann"), 6);
  clock.Advance(seconds(6));
  EXPECT_FALSE(limiter.Take("ann").has_value());
  EXPECT_TRUE(limiter.Take("ann").has_value());
  clock.Advance(seconds(3600));
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(limiter.Take("ann").has_value());
  EXPECT_TRUE(limiter.Take("ann").has_value());
}

TEST(RateLimiter, ZeroIsAnyNumber) {
  fakes::FakeClock clock;
  RateLimiter limiter(&clock, 0);
  for (int i = 0; i < 10'000; ++i) EXPECT_FALSE(limiter.Take("ann").has_value());
}

TEST(RateLimiter, ManyClientsDoNotGrowIt) {
  fakes::FakeClock clock;
  RateLimiter limiter(&clock, 1);
  for (int i = 0; i < 50'000; ++i) EXPECT_FALSE(limiter.Take(std::to_string(i)).has_value());
  EXPECT_TRUE(limiter.Take("49999").has_value());
}

}  // namespace
}  // namespace freshet::api
