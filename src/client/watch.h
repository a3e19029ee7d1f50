// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "client/api.h"
#include "client/outcome.h"
#include "client/surroundings.h"

namespace freshet::client {

struct WatchedUpdate {
  std::string pipeline;        // its id
  std::string update;          // empty: the latest
  bool lines_of_json = false;  // events as the server says them, one a line
};

/// Show how an update goes on, until it ends: on a terminal as a block that is drawn again in
/// place, else an event a line. A server that is away for some minutes, for it is started again, is
/// waited for.
///
///   until its state is one that nothing comes after:
///     ask for its state, and then for the events since the last one
///     take both, and show them
///     wait a moment
///
/// Errors: as Api::Send; NOT_FOUND (there is no update); what the update failed with.
Outcome Watch(const WatchedUpdate& watched, Api* api, Surroundings* surroundings);

}  // namespace freshet::client
