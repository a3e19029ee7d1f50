// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/secret.h"
#include "client/api.h"

namespace freshet::client {

/// Where a server is, and what it is asked with.
struct Server {
  std::string host{};  // `https://name:port`, as OriginOf returns it
  Secret token{};
  std::string ca_file{};     // PEM; empty: the system's
  std::string token_from{};  // for messages
};

/// Return a host as it is compared and connected to: `http://name:port`. Errors: INVALID_ARGUMENT.
Result<std::string> OriginOf(std::string_view host);

/// Return a server that is asked by HTTP, over one connection a request. A request that it says to
/// send again is (429), for some minutes.
std::unique_ptr<Api> OpenHttp(Server server, Clock* clock);

}  // namespace freshet::client
