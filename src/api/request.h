// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/json.h"
#include "base/status.h"
#include "catalog/principals.h"
#include "store/local_file.h"

namespace freshet::api {

/// A request as it came, and what the server has found out about it.
struct Request {
  std::string method, target;
  std::string authorization, host;  // headers
  std::string body;
  std::string client;  // its address

  std::vector<std::string> path;             // of the target, each part decoded
  std::map<std::string, std::string> query;  // likewise; of a name given twice the last
  std::map<std::string, std::string> parts;  // what the route's {names} stand for
  std::vector<std::string> rest;             // what the route's {*name} stands for, part by part
  bool takes_form = false;                   // the route takes a form of several parts, too
  std::map<std::string, std::string> form;   // its parts by name; then there is no body
  catalog::Caller user;

  /// REQUIRES: the route has a part of that name.
  const std::string& part(const std::string& name) const { return parts.at(name); }
  /// Empty: it is not given.
  std::string parameter(const std::string& name) const;
  /// Errors: INVALID_ARGUMENT.
  Result<bool> FlagParameter(const std::string& name, bool standard) const;
  Result<int64_t> NumberParameter(const std::string& name, int64_t standard) const;
  /// Where a list that is numbered goes on: `page_token`. 0: at its beginning.
  Result<int64_t> PageNumber() const;
};

/// Read a number of 0 or more. Errors: INVALID_ARGUMENT.
Result<int64_t> NumberOf(std::string_view text);

/// Split a target at '/' and its query at '&', and decode `%XX` after that: an encoded '/' stays
/// within its part. Errors: INVALID_ARGUMENT (not such a target, a part that is `.` or `..`, a null
/// character).
Status ReadTarget(Request* request);

/// Read a body in the form of a query, `a=b&c=d`. Errors: INVALID_ARGUMENT.
Result<std::map<std::string, std::string>> ReadForm(std::string_view text);

struct Response {
  int status = 200;
  std::string body{};
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers{};
  /// Instead of the body: this many bytes of a file, or the range of them that is asked for.
  std::shared_ptr<store::OpenFile> file{};
  int64_t file_bytes = 0;
};

/// Takes the bytes of a body as they come; false: no more of them.
using BodySink = std::function<bool(std::string_view)>;
/// Reads the body into the request, or into the sink where there is one, as soon as it is wanted;
/// returns why it is refused.
using ReceiveBody = std::function<std::optional<Response>(Request*, const BodySink&)>;
/// The same for a handler that has a sink.
using BringBody = std::function<std::optional<Response>(const BodySink&)>;

/// Return the answer for an error: the published body, with our class and remedy in `details`.
Response ErrorResponse(const Status& status);
Response ErrorResponse(int status, std::string_view error_code, std::string_view message);
/// Return the one that tells to send the same once more in so many seconds; the published clients
/// do that by themselves.
Response ComeAgain(int64_t seconds, std::string_view message);

}  // namespace freshet::api
