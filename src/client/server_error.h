// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

#include "base/status.h"

namespace freshet::client {

// What a source is to a run, the server is to a command that asks it; their errors have one family,
// and one exit code.

/// There is no server, or what answers is none of ours.
template <typename... Args>
Status Unreachable(fmt::format_string<Args...> format, Args&&... args) {
  return MakeError(ErrorClass::SOURCE_UNREACHABLE, fmt::format(format, std::forward<Args>(args)...))
      .WithRemedy(
          "Start it with 'freshet server', or correct --host, FRESHET_HOST or the profile.");
}

/// It does not take the token.
template <typename... Args>
Status TokenRefused(fmt::format_string<Args...> format, Args&&... args) {
  return MakeError(ErrorClass::SOURCE_AUTH, fmt::format(format, std::forward<Args>(args)...))
      .WithRemedy("Make one with 'freshet tokens create', and keep it with 'freshet auth login'.");
}

/// It refuses the request, for a reason that it names no class of.
template <typename... Args>
Status Refused(fmt::format_string<Args...> format, Args&&... args) {
  return MakeError(ErrorClass::SOURCE_QUERY, fmt::format(format, std::forward<Args>(args)...))
      .WithRemedy("See the server's message.");
}

}  // namespace freshet::client
