// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "pipeline/cursor_rules.h"
#include "pipeline/ingest.h"

namespace freshet::pipeline {

/// Let the source capture its tables by queries.
void CaptureByQueries(const std::vector<CursorRule>& rules, SourceSettings* settings);
/// Hand on to the source what the specification says of it: slot, publication, mapping of types,
/// columns, and how its tables are captured. `options.source` says how to reach it.
/// Errors: UNSUPPORTED_FIELD, INVALID_ARGUMENT.
Status CompleteSource(IngestOptions* options);

/// The line by which a run is handed to a process of its own, secrets and all: over its pipe and
/// nowhere else. What opens sources, and the workers' program, are the process's own.
std::string ToLine(const IngestOptions& options);
/// Errors: INVALID_ARGUMENT; the line itself is never quoted.
Result<IngestOptions> OptionsFromLine(std::string_view line);

}  // namespace freshet::pipeline
