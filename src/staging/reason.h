// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "base/json.h"
#include "base/status.h"

namespace freshet::staging {

/// Why something could not be done, as it stands in staging: `error_class`, `message`, `remedy`.
nlohmann::json ReasonToJson(const Status& why);
/// Nothing: it is none.
std::optional<Status> ReasonIn(const nlohmann::json& json);

}  // namespace freshet::staging
