// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "client/outcome.h"
#include "client/profiles.h"
#include "client/run_command.h"

namespace freshet::client {

/// Opens a server; `OpenHttp` but in tests.
using OpenApi = std::function<std::unique_ptr<Api>(Server, Clock*)>;

/// Keep a server and its token as a profile, after asking the server who the token is.
/// Errors: INVALID_ARGUMENT, as Api::Send, STORE_*.
Outcome LogIn(const WantedServer& wanted, const OpenApi& open, Surroundings* surroundings);
/// List the profiles; their tokens are not told.
Outcome ListProfiles(Format format, Surroundings* surroundings);
/// Say which server is asked, what with, and as whom.
Outcome DescribeLogin(const WantedServer& wanted, Format format, const OpenApi& open,
                      Surroundings* surroundings);

}  // namespace freshet::client
