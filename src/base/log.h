// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

namespace freshet {

/// Set up the process's log: lines on standard error, `name` in each. Levels: trace debug info warn
/// error off. Everything logs through `spdlog::info(…)` and its like; events (record/observer.h)
/// are what users read.
void SetUpLog(std::string_view name, std::string_view level);

}  // namespace freshet
