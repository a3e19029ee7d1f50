// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "api/context.h"

namespace freshet::api {

/// Return how the client reached the server, as it is configured or as the request says.
std::string UrlOf(const Context& context, const Request& request);
/// Return who says that he logs in, whether or not it is true.
std::string ClientIdOf(const Request& request);

}  // namespace freshet::api
