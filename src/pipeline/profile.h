// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace freshet::pipeline {

/// What of Delta a destination's tables use: `portable` (deletion vectors, nothing that a current
/// reader refuses), `full` (all that Freshet writes) or `classic` (what the oldest readers know).
inline constexpr std::string_view kPortable = "portable", kFull = "full", kClassic = "classic";

bool IsProfile(std::string_view name);

/// The properties that tables of a profile have beside a plain table's.
std::map<std::string, std::string> PropertiesOfProfile(std::string_view profile);

/// Whether a destination that was begun with one profile can go on with another: only upwards.
/// Errors: INVALID_ARGUMENT.
Status CheckProfileChange(std::string_view before, std::string_view after);

}  // namespace freshet::pipeline
