// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "base/status.h"
#include "sources/source.h"

namespace freshet::pipeline {

/// How to reach a source and what to use there, without a word of any one connector.
struct SourceSettings {
  /// The connector's own names and values, no secret among them.
  std::vector<std::pair<std::string, std::string>> parameters;
  Secret password, tls_key_password;
  std::string slot, publication;
  bool slot_given = false,
       publication_given = false;  // by the user: never made, altered nor dropped
};

/// Opens a source; given by app/, which knows the connectors.
using OpenSource = std::function<Result<std::unique_ptr<sources::Source>>(const SourceSettings&)>;

/// The parameters as JSON text.
std::string ParametersToJson(const std::vector<std::pair<std::string, std::string>>& parameters);
/// Errors: INVALID_ARGUMENT.
Result<std::vector<std::pair<std::string, std::string>>> ParametersFromJson(std::string_view text);

}  // namespace freshet::pipeline
