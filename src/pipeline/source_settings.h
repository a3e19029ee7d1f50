// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "sources/connector.h"

namespace freshet::pipeline {

using SourceSettings = sources::Settings;

/// Opens a source; given by app/, which knows the connectors.
using OpenSource = std::function<Result<std::unique_ptr<sources::Source>>(const SourceSettings&)>;

/// The parameters as JSON text.
std::string ParametersToJson(const std::vector<std::pair<std::string, std::string>>& parameters);
/// Errors: INVALID_ARGUMENT.
Result<std::vector<std::pair<std::string, std::string>>> ParametersFromJson(std::string_view text);

}  // namespace freshet::pipeline
