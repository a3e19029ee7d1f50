// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "pipeline/pattern.h"

namespace freshet::pipeline {

/// The form in which patterns go to a worker: each as it was written, or the names of its one
/// table.
nlohmann::json PatternsToJson(const std::vector<TablePattern>& patterns);
/// Errors: INVALID_ARGUMENT.
Result<std::vector<TablePattern>> PatternsFromJson(const nlohmann::json& json);

}  // namespace freshet::pipeline
