// SPDX-License-Identifier: Apache-2.0
#include "pipeline/restart_window.h"

#include <algorithm>

#include "base/json.h"
#include "pipeline/time_zone.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kField[] = "restart_window";
/// Source: the published meaning of `days_of_week`.
constexpr std::chrono::hours kLength{5};
constexpr int64_t kHourMax = 23;
/// Source: the published DayOfWeek.
constexpr std::array<std::string_view, 7> kDays{"MONDAY", "TUESDAY",  "WEDNESDAY", "THURSDAY",
                                                "FRIDAY", "SATURDAY", "SUNDAY"};

Status Wrong(std::string_view field, std::string_view why) {
  return Error(ErrorClass::INVALID_ARGUMENT, "{}.{} {}", kField, field, why);
}

Status TakeHour(const Json& value, RestartWindow* window) {
  constexpr char kName[] = "start_hour";
  if (value.is_null()) return Wrong(kName, "is missing");
  const bool good = value.is_number_integer() && value >= 0 && value <= kHourMax;
  if (!good) return Wrong(kName, "is not an hour of the day, 0 to 23");
  window->start_hour = std::chrono::hours(value.get<int>());
  return Status::Ok();
}

Status TakeDays(const Json& value, RestartWindow* window) {
  constexpr char kName[] = "days_of_week";
  if (value.is_null()) return Status::Ok();
  if (!value.is_array()) return Wrong(kName, "is not a list");
  if (value.empty()) return Status::Ok();
  window->days.fill(false);
  for (const auto& each : value) {
    const auto* found =
        each.is_string() ? std::ranges::find(kDays, each.get<std::string>()) : kDays.end();
    if (found == kDays.end())
      return Wrong(kName, fmt::format("holds {}, which is none of {}", JsonText(each),
                                      fmt::join(kDays, ", ")));
    window->days.at(static_cast<size_t>(found - kDays.begin())) = true;
  }
  return Status::Ok();
}

Status TakeZone(const Json& value, RestartWindow* window) {
  constexpr char kName[] = "time_zone_id";
  if (value.is_null()) return Status::Ok();
  if (!value.is_string()) return Wrong(kName, "is not a text");
  window->time_zone = value.get<std::string>();
  auto known = MomentIn(window->time_zone, {}, {}).status();
  if (known.ok()) return known;
  return Wrong(kName, fmt::format("is not the name of a time zone: '{}'", window->time_zone))
      .WithRemedy(std::string(known.remedy()));
}

}  // namespace

Result<RestartWindow> ReadRestartWindow(std::string_view text) {
  auto json = ParseJson<Json>(text);
  if (!json.is_object()) return Error(ErrorClass::INVALID_ARGUMENT, "{} is not an object", kField);
  RestartWindow window;
  Json hour;
  for (const auto& [name, value] : json.items()) {
    if (name == "start_hour") {
      hour = value;
    } else if (name == "days_of_week") {
      FRESHET_CHECK_OK(TakeDays(value, &window));
    } else if (name == "time_zone_id") {
      FRESHET_CHECK_OK(TakeZone(value, &window));
    } else {
      return Wrong(name, "is not a field of this request");
    }
  }
  FRESHET_CHECK_OK(TakeHour(hour, &window));
  return window;
}

Result<std::optional<RestartWindow>> RestartWindowOf(const PipelineRecord& pipeline) {
  auto spec = ParseJson<Json>(pipeline.spec);
  if (!spec.is_object() || !spec.contains(kField) || spec[kField].is_null())
    return std::optional<RestartWindow>();
  FRESHET_TRY(auto window, ReadRestartWindow(JsonText(spec[kField])));
  return std::optional(std::move(window));
}

Result<std::optional<UtcMicros>> WindowBegan(const RestartWindow& window, UtcMicros now) {
  using std::chrono::days;
  using std::chrono::microseconds;
  const std::chrono::sys_time<microseconds> moment{microseconds(now)};
  const auto today = std::chrono::floor<days>(moment);
  // By the clocks of the zone it may be the day before or after, and one that began the day before
  // that may still be open.
  for (auto day = today - days(2); day <= today + days(1); day += days(1)) {
    const auto weekday = std::chrono::weekday(day).iso_encoding() - 1;
    if (!window.days.at(weekday)) continue;
    FRESHET_TRY(auto began, MomentIn(window.time_zone, day, window.start_hour));
    if (began <= now && now < began + microseconds(kLength).count()) return std::optional(began);
  }
  return std::optional<UtcMicros>();
}

}  // namespace freshet::pipeline
