// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/json.h"
#include "base/status.h"
#include "catalog/identity.h"

namespace freshet::api {

/// A request as it came, and what the server has found out about it.
struct Request {
  std::string method, target;
  std::string authorization;
  std::string body;
  std::string client;  // its address

  std::vector<std::string> path;             // of the target, each part decoded
  std::map<std::string, std::string> query;  // likewise; of a name given twice the last
  std::map<std::string, std::string> parts;  // what the route's {names} stand for
  catalog::User user;

  /// REQUIRES: the route has a part of that name.
  const std::string& part(const std::string& name) const { return parts.at(name); }
  /// Empty: it is not given.
  std::string parameter(const std::string& name) const;
  /// Errors: INVALID_ARGUMENT.
  Result<bool> FlagParameter(const std::string& name, bool standard) const;
  Result<int64_t> NumberParameter(const std::string& name, int64_t standard) const;
};

/// Split a target at '/' and its query at '&', and decode `%XX` after that: an encoded '/' stays
/// within its part. Errors: INVALID_ARGUMENT (not such a target, a part that is `.` or `..`, a null
/// character).
Status ReadTarget(Request* request);

struct Response {
  int status = 200;
  std::string body{};
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers{};
};

/// Reads the body into the request, as soon as it is wanted; returns why it is refused.
using ReceiveBody = std::function<std::optional<Response>(Request*)>;

/// Return the answer for an error: the published body, with our class and remedy in `details`.
Response ErrorResponse(const Status& status);
Response ErrorResponse(int status, std::string_view error_code, std::string_view message);

}  // namespace freshet::api
