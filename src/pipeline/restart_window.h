// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "pipeline/pipeline_book.h"

namespace freshet::pipeline {

/// When a continuous pipeline may be begun anew: in the hours after `start_hour` on some days, by
/// the clocks of a time zone. A value.
struct RestartWindow {
  std::chrono::hours start_hour{0};
  std::array<bool, 7> days{true, true, true, true, true, true, true};  // from Monday on
  std::string time_zone = "UTC";
};

/// Read the JSON text of a `restart_window`. Errors: INVALID_ARGUMENT: names the field.
/// Source: the published RestartWindow.
Result<RestartWindow> ReadRestartWindow(std::string_view json);
/// Return the one within a pipeline's specification; nothing: it has none. Errors: likewise.
Result<std::optional<RestartWindow>> RestartWindowOf(const PipelineRecord& pipeline);

/// Return when the window that this moment is in began; nothing: it is in none. One is five hours
/// long, and belongs to the day on which it begins. Errors: INVALID_ARGUMENT (the time zone).
Result<std::optional<UtcMicros>> WindowBegan(const RestartWindow& window, UtcMicros now);

}  // namespace freshet::pipeline
