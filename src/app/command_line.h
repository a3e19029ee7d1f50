// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace freshet::app {

/// Read the arguments, run the command they name, return the process's exit code.
int Main(int count, char** arguments);

}  // namespace freshet::app
