// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "client/api.h"
#include "client/outcome.h"
#include "client/surroundings.h"

namespace freshet::client {

struct WantedLog {
  std::string pipeline{};      // its id
  std::string name{};          // empty: what was written to last
  std::string update{};        // of this update; empty: of any
  bool follow = false;         // what is written from now on, too, until the update ends
  bool lines_of_json = false;  // pieces as the server says them, one a line
};

/// Print the end of a log of a pipeline's processes.
/// Errors: as Api::Send; NOT_FOUND (there is no log).
Outcome TailLog(const WantedLog& wanted, Api* api, Surroundings* surroundings);

}  // namespace freshet::client
