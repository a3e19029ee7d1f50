// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/source_settings.h"

namespace freshet::pipeline {

/// The worker that captures: source → staging. Returns the process's exit code.
int RunGatewayWorker(const OpenSource& open_source);
/// The worker that holds the snapshots that the other reads, so that they outlive its crash.
/// Returns the process's exit code.
int RunHolderWorker(const OpenSource& open_source);
/// The worker that applies: staging → tables. Returns the process's exit code.
int RunUpdateWorker();

}  // namespace freshet::pipeline
