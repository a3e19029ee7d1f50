// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/source_settings.h"

namespace freshet::pipeline {

/// The worker that captures: source → staging. Returns the process's exit code.
int RunGatewayWorker(const OpenSource& open_source);
/// The worker that holds the snapshots that the other reads, so that they outlive its crash.
/// Returns the process's exit code.
int RunHolderWorker(const OpenSource& open_source);
/// A whole run of a server's, with workers of its own: events out, the end of the input asks it to
/// end. Does not return: ends the process with the run's exit code, but for an input without a run.
int RunRunWorker(const OpenSource& open_source);
/// The worker that applies: staging → tables. Returns the process's exit code.
int RunUpdateWorker();

}  // namespace freshet::pipeline
