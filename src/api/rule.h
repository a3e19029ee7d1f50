// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "api/request.h"
#include "catalog/access.h"

namespace freshet::api {

struct Context;

/// Why a request is refused although its token is good: what is missing, and who can grant it.
/// Nothing: it is not refused.
using Verdict = std::optional<std::string>;

/// Who may use a route; asked before the route's handler is. It cannot be made but by one of the
/// names below, and a route cannot be made without one.
class Rule {
 public:
  /// Errors: what keeps it from being decided, such as NOT_FOUND.
  using Check = std::function<Result<Verdict>(const Context&, const Request&)>;

  /// Without a token: what says nothing of anybody's.
  static Rule Open() { return Rule(true, {}); }
  /// Whoever has a token: what tells or changes only the caller's own, or tells only what the
  /// caller may see.
  static Rule Anyone() { return Rule(false, {}); }
  static Rule Admins();
  /// Those who have the privilege on the securable that the path's `{name}` is.
  static Rule Having(std::string_view privilege, catalog::Kind kind);
  /// Those who may be told of the securable that the path's `{name}` is.
  static Rule Seeing(catalog::Kind kind);
  /// Those who have the privilege on the metastore.
  static Rule HavingOnMetastore(std::string_view privilege);
  /// Those who have the level on the pipeline that the path's `{id}` is.
  static Rule OnPipeline(std::string_view level);
  static Rule Of(Check check) { return Rule(false, std::move(check)); }
  /// Both.
  Rule And(Check check) &&;

  bool open() const { return open_; }
  Result<Verdict> Decide(const Context& context, const Request& request) const;

 private:
  Rule(bool open, Check check) : open_(open), check_(std::move(check)) {}
  bool open_;
  Check check_;
};

/// Return what is missing in words.
Verdict VerdictOf(const std::optional<catalog::Missing>& missing);
/// Ask what is missing of a privilege. Errors: NOT_FOUND.
Result<Verdict> CheckPrivilege(const Context& context, const catalog::Caller& caller,
                               std::string_view privilege, catalog::Kind kind,
                               const catalog::Path& path);

}  // namespace freshet::api
