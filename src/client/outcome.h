// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status.h"

namespace freshet::client {

/// How a command ended.
struct Outcome {
  Status status{};
  /// It is tables that failed; the others are current.
  bool only_tables = false;
};

}  // namespace freshet::client
