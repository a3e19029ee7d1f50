// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "pipeline/source_settings.h"

namespace freshet::app {

/// What a SOURCE on the command line says.
struct ParsedSource {
  pipeline::SourceSettings settings;
  std::string database;
};
/// Read a SOURCE. Its password is asked for where the server wants one that nobody gave, and only
/// on a terminal.
/// Errors: INVALID_ARGUMENT.
Result<ParsedSource> ParseSource(std::string_view text);
/// Ask for the password of settings that came from a destination's record, likewise.
void AskPassword(pipeline::SourceSettings* settings);

/// Open the source of these settings by its connector.
Result<std::unique_ptr<sources::Source>> OpenSource(const pipeline::SourceSettings& settings);

}  // namespace freshet::app
