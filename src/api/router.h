// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/description.h"
#include "api/request.h"
#include "api/rule.h"

namespace freshet::api {

/// What answers a request. Thread-safe.
using Handler = std::function<Result<Response>(const Request&)>;

/// The same, of a body that may be large: `bring` gives it, once.
using StreamHandler = std::function<Result<Response>(const Request&, const BringBody&)>;

/// One operation of the API. What it takes and answers its description says, from which, and from
/// this, the OpenAPI document is made.
struct Route {
  std::string_view method;
  /// `/a/{name}/b`: a part in braces stands for one part of the path; `{*name}`, the last, for one
  /// or more.
  std::string_view pattern;
  std::string_view operation;  // the SDK's name of it
  Rule rule;                   // who may use it
  Handler handler{};
  StreamHandler stream{};  // instead of the handler
  bool form = false;       // it takes a form of several parts, too
  /// It waits for a source: so many at once, for each has a thread meanwhile.
  bool visits_source = false;
};

/// Finds the route of a request. Immutable once it serves.
class Router {
 public:
  void Add(Route route);
  /// Add what a resource says of its operations. REQUIRES: it is readable.
  void Describe(std::string_view text);
  const std::vector<Route>& routes() const { return routes_; }
  const Descriptions& descriptions() const { return descriptions_; }
  /// Null: it has none.
  const Described* DescribedOf(const Route& route) const;
  /// Return the route and fill in the request's parts; null: there is none.
  const Route* Find(Request* request) const;

 private:
  std::vector<Route> routes_;
  Descriptions descriptions_;
};

}  // namespace freshet::api
