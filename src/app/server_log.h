// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace freshet::app {

/// Set up the server's log: one JSON object a line on standard error, with `at`, `level` and
/// `message`.
void SetUpServerLog(std::string_view level);

}  // namespace freshet::app
