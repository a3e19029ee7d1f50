// SPDX-License-Identifier: Apache-2.0
#include "pipeline/time_zone.h"

#include <arrow/compute/api_scalar.h>
#include <arrow/compute/initialize.h>
#include <arrow/datum.h>
#include <arrow/scalar.h>

#include <cctype>

#include "record/arrow_status.h"

namespace freshet::pipeline {
namespace {

constexpr UtcMicros kMicrosPerSecond = 1'000'000;

Status Unknown(const std::string& zone) {
  return Error(ErrorClass::INVALID_ARGUMENT, "no time zone is known by the name '{}'", zone)
      .WithRemedy("Give a name of the IANA database, such as Europe/Berlin.");
}

}  // namespace

Result<UtcMicros> MomentIn(const std::string& zone, std::chrono::sys_days day,
                           std::chrono::hours hour) {
  const int64_t shown = std::chrono::seconds(day.time_since_epoch() + hour).count();
  if (zone == "UTC") return shown * kMicrosPerSecond;
  // A fixed distance from UTC is no zone.
  if (zone.empty() || std::isalpha(static_cast<unsigned char>(zone[0])) == 0) return Unknown(zone);
  using Options = arrow::compute::AssumeTimezoneOptions;
  FRESHET_CHECK_OK(arrow::compute::Initialize());
  auto local =
      std::make_shared<arrow::TimestampScalar>(shown, arrow::timestamp(arrow::TimeUnit::SECOND));
  auto moment = arrow::compute::AssumeTimezone(
      arrow::Datum(std::move(local)),
      Options(zone, Options::AMBIGUOUS_EARLIEST, Options::NONEXISTENT_LATEST));
  if (!moment.ok()) return Unknown(zone);
  const auto& found = static_cast<const arrow::TimestampScalar&>(*moment->scalar());
  return found.value * kMicrosPerSecond;
}

}  // namespace freshet::pipeline
