// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace freshet::app {

/// Read `90`, `90s`, `500ms`, `2m`, `1h`, `30d`; nothing when it is none of that form.
std::optional<std::chrono::milliseconds> ParseDuration(const std::string& text);
/// Read `1000000`, `500GB`, `2TiB`; nothing when it is none of that form, or zero.
std::optional<int64_t> ParseBytes(const std::string& text);

/// Read the arguments, run the command they name, return the process's exit code.
int Main(int count, char** arguments);

}  // namespace freshet::app
