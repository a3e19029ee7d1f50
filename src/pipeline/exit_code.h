// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status.h"

namespace freshet::pipeline {

/// What the command says to the shell. Source: docs/guide/command-line.md, "Exit codes".
enum class ExitCode : int {
  kOk = 0,
  kInternal = 1,
  kUsage = 2,
  kSource = 3,
  kDestination = 4,
  kTables = 5,
  kInterrupted = 130
};

/// Return the code for a run that ended with this.
ExitCode ExitCodeOf(const Status& status);

}  // namespace freshet::pipeline
