// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace freshet::client {

/// JSON as the server sends it: fields keep their order.
using Json = nlohmann::ordered_json;

/// One request. Its target is encoded.
struct Call {
  std::string method, target;
  std::optional<Json> body{};
};

/// A server, as it is asked. One thread.
class Api {
 public:
  virtual ~Api() = default;
  /// Return what the server answers; no text at all is an empty object.
  /// Errors: those that the server names, and those of server_error.h.
  virtual Result<Json> Send(const Call& call) = 0;
};

/// Return the text as one part of a path, or as a name or value of a query.
/// Source: RFC 3986, 2.3: all but unreserved characters as `%XX`.
std::string Encoded(std::string_view text);

/// Read what came back for a request. `host` is for messages.
/// Errors: as Api::Send.
Result<Json> ReadAnswer(int status, std::string_view text, std::string_view host);

/// Return the field's text; empty where there is none, or something else.
std::string TextIn(const Json& object, std::string_view field);
/// Return what a path of fields and positions leads to (`a.b.0`); null where it leads nowhere.
const Json* At(const Json& value, std::string_view path);

}  // namespace freshet::client
