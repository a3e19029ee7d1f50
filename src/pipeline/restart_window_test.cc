// SPDX-License-Identifier: Apache-2.0
#include "pipeline/restart_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/time_zone.h"

namespace freshet::pipeline {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using std::chrono::sys_days;

UtcMicros At(std::chrono::sys_time<std::chrono::minutes> moment) {
  return std::chrono::microseconds(moment.time_since_epoch()).count();
}

/// When the window began, in minutes after `midnight`, of the moment so many minutes after it;
/// nothing: it is in none.
std::optional<int64_t> Began(const RestartWindow& window, sys_days midnight,
                             std::chrono::minutes now) {
  auto began = WindowBegan(window, At(midnight + now));
  EXPECT_TRUE(began.ok()) << began.status().ToString();
  if (!began.ok() || !*began) return std::nullopt;
  constexpr int64_t kMinute = 60'000'000;
  EXPECT_EQ(**began % kMinute, 0);
  return (**began - At(midnight)) / kMinute;
}

RestartWindow Read(const std::string& json) {
  auto window = ReadRestartWindow(json);
  EXPECT_TRUE(window.ok()) << window.status().ToString();
  return window.ok() ? *window : RestartWindow();
}

constexpr sys_days kMonday = std::chrono::year(2026) / 1 / 5;

TEST(RestartWindow, LastsFiveHoursFromItsHourOn) {
  auto window = Read(R"({"start_hour": 3, "days_of_week": null, "time_zone_id": null})");
  EXPECT_EQ(Began(window, kMonday, 3h - 1min), std::nullopt);
  EXPECT_EQ(Began(window, kMonday, 3h), 180);
  EXPECT_EQ(Began(window, kMonday, 8h - 1min), 180);
  EXPECT_EQ(Began(window, kMonday, 8h), std::nullopt);
  EXPECT_EQ(Began(window, kMonday, 24h + 4h), 24 * 60 + 180) << "every day has one";
}

TEST(RestartWindow, BelongsToTheDayOnWhichItBegins) {
  auto window = Read(R"({"start_hour": 22, "days_of_week": ["MONDAY", "MONDAY", "SATURDAY"]})");
  EXPECT_EQ(Began(window, kMonday, 22h), 22 * 60);
  EXPECT_EQ(Began(window, kMonday, 27h - 1min), 22 * 60);
  EXPECT_EQ(Began(window, kMonday, 27h), std::nullopt);
  EXPECT_EQ(Began(window, kMonday, 1h), std::nullopt) << "Sunday has none";
  EXPECT_EQ(Began(window, kMonday, 46h), std::nullopt) << "nor has Tuesday";
  EXPECT_TRUE(Began(window, kMonday, 24h * 6 + 1h).has_value()) << "Saturday's";
}

TEST(RestartWindow, IsByTheClocksOfItsPlace) {
  auto berlin = Read(R"({"start_hour": 3, "time_zone_id": "Europe/Berlin"})");
  EXPECT_EQ(Began(berlin, std::chrono::year(2026) / 1 / 10, 2h), 120) << "in winter";
  EXPECT_EQ(Began(berlin, std::chrono::year(2026) / 7 / 10, 2h), 60) << "in summer";
  auto new_york =
      Read(R"({"start_hour": 22, "days_of_week": ["SUNDAY"], "time_zone_id": "America/New_York"})");
  EXPECT_EQ(Began(new_york, kMonday, 4h), 180) << "it is Sunday there";
  EXPECT_EQ(Began(new_york, kMonday, 24h + 4h), std::nullopt);
  // The ends of the earth: fourteen hours ahead, eleven behind.
  auto ahead = Read(
      R"({"start_hour": 0, "days_of_week": ["MONDAY"], "time_zone_id": "Pacific/Kiritimati"})");
  EXPECT_EQ(Began(ahead, kMonday, -15h), std::nullopt);
  EXPECT_EQ(Began(ahead, kMonday, -10h), -14 * 60);
  EXPECT_EQ(Began(ahead, kMonday, -9h), std::nullopt);
  auto behind =
      Read(R"({"start_hour": 23, "days_of_week": ["MONDAY"], "time_zone_id": "Pacific/Niue"})");
  EXPECT_EQ(Began(behind, kMonday, 24h + 14h), 34 * 60);
  EXPECT_EQ(Began(behind, kMonday, 24h + 15h), std::nullopt);
}

TEST(RestartWindow, LastsAsLongWhenClocksAreChanged) {
  auto window = Read(R"({"start_hour": 2, "time_zone_id": "Europe/Berlin"})");
  // There is no two o'clock: it begins when clocks are put from two to three.
  constexpr sys_days kForward = std::chrono::year(2026) / 3 / 29;
  EXPECT_EQ(Began(window, kForward, 1h - 1min), std::nullopt);
  EXPECT_EQ(Began(window, kForward, 1h), 60);
  EXPECT_EQ(Began(window, kForward, 6h - 1min), 60);
  EXPECT_EQ(Began(window, kForward, 6h), std::nullopt);
  // There are two of them: it begins with the first, and no other with the second.
  constexpr sys_days kBack = std::chrono::year(2026) / 10 / 25;
  EXPECT_EQ(Began(window, kBack, 0h - 1min), std::nullopt);
  for (auto at : {0min, 59min, 60min, 61min, 299min}) EXPECT_EQ(Began(window, kBack, at), 0);
  EXPECT_EQ(Began(window, kBack, 5h), std::nullopt);
}

TEST(RestartWindow, EachFieldThatIsWrongIsNamed) {
  auto refused = [](const std::string& json) {
    auto window = ReadRestartWindow(json);
    EXPECT_TRUE(window.status().Is(ErrorClass::INVALID_ARGUMENT)) << json;
    return window.status().ToString();
  };
  EXPECT_THAT(refused("[]"), HasSubstr("restart_window is not an object"));
  EXPECT_THAT(refused("{}"), HasSubstr("restart_window.start_hour is missing"));
  EXPECT_THAT(refused(R"({"start_hour": null})"),
              HasSubstr("restart_window.start_hour is missing"));
  for (const auto* hour : {"-1", "24", "3.5", "\"3\"", "99999999999999999999"}) {
    EXPECT_THAT(refused(fmt::format(R"({{"start_hour": {}}})", hour)),
                HasSubstr("restart_window.start_hour is not an hour of the day"));
  }
  EXPECT_THAT(refused(R"({"start_hour": 1, "days_of_week": "MONDAY"})"),
              HasSubstr("restart_window.days_of_week is not a list"));
  for (const auto* day : {"\"Monday\"", "1", "null"}) {
    EXPECT_THAT(refused(fmt::format(R"({{"start_hour": 1, "days_of_week": [{}]}})", day)),
                HasSubstr("restart_window.days_of_week holds"));
  }
  for (const auto* zone :
       {"", "Nowhere/City", "+02:00", "../../etc/passwd", "europe/berlin", "/"}) {
    EXPECT_THAT(refused(fmt::format(R"({{"start_hour": 1, "time_zone_id": "{}"}})", zone)),
                HasSubstr("restart_window.time_zone_id is not the name of a time zone"));
  }
  EXPECT_THAT(refused(R"({"start_hour": 1, "time_zone_id": 1})"),
              HasSubstr("restart_window.time_zone_id is not a text"));
  EXPECT_THAT(refused(R"({"start_hour": 1, "end_hour": 2})"),
              HasSubstr("restart_window.end_hour is not a field"));
}

TEST(RestartWindow, IsAPipelinesOwn) {
  PipelineRecord pipeline{.id = "p", .spec = R"({"restart_window": {"start_hour": 4}})"};
  auto window = RestartWindowOf(pipeline);
  ASSERT_TRUE(window.ok() && window->has_value()) << window.status().ToString();
  EXPECT_EQ((*window)->start_hour, 4h);
  for (const auto* spec : {"{}", R"({"restart_window": null})"}) {
    pipeline.spec = spec;
    window = RestartWindowOf(pipeline);
    ASSERT_TRUE(window.ok()) << window.status().ToString();
    EXPECT_FALSE(window->has_value());
  }
}

}  // namespace
}  // namespace freshet::pipeline
