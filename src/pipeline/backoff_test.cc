// SPDX-License-Identifier: Apache-2.0
#include "pipeline/backoff.h"

#include <gtest/gtest.h>

namespace freshet::pipeline {
namespace {

using std::chrono::milliseconds;

TEST(BackoffTest, DoublesUpToTheCap) {
  Backoff backoff(milliseconds(120'000));
  MonotonicTime now{};
  int64_t expected[] = {500, 1000, 2000, 4000, 8000, 15000, 15000};
  for (auto wait : expected) EXPECT_EQ(backoff.OnFailure(now, 0)->count(), wait);
  backoff.OnProgress();
  EXPECT_EQ(backoff.OnFailure(now, 0)->count(), 500);
  EXPECT_EQ(backoff.OnFailure(now, 1)->count(), 750);
}

TEST(BackoffTest, GivesUpAfterRetryForWithoutProgress) {
  Backoff backoff(milliseconds(10'000));
  MonotonicTime now{};
  EXPECT_TRUE(backoff.OnFailure(now, 0));
  EXPECT_TRUE(backoff.OnFailure(now + milliseconds(9'999), 0));
  backoff.OnProgress();
  EXPECT_TRUE(backoff.OnFailure(now + milliseconds(10'000), 0));
  EXPECT_FALSE(backoff.OnFailure(now + milliseconds(20'000), 0));
}

TEST(BackoffTest, NoRetryMeansNone) {
  Backoff backoff(milliseconds(0));
  EXPECT_FALSE(backoff.OnFailure(MonotonicTime{}, 0));
}

TEST(JudgeTest, FollowsTheRetryClass) {
  EXPECT_EQ(Judge(Status::Ok(), false, false), Verdict::kDone);
  EXPECT_EQ(Judge(Status::Ok(), true, false), Verdict::kRestart);
  EXPECT_EQ(Judge(Error(ErrorClass::SOURCE_UNREACHABLE, "x"), false, false), Verdict::kRestart);
  EXPECT_EQ(Judge(Error(ErrorClass::SOURCE_AUTH, "x"), false, false), Verdict::kFatal);
  EXPECT_EQ(Judge(Error(ErrorClass::SLOT_LOST, "x"), false, false), Verdict::kFatal);
  EXPECT_EQ(Judge(Error(ErrorClass::STORE_FULL, "x"), false, false), Verdict::kFatal);
  EXPECT_EQ(Judge(Error(ErrorClass::STORE_FULL, "x"), false, true), Verdict::kRestart);
}

}  // namespace
}  // namespace freshet::pipeline
