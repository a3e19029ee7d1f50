// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "api/context.h"
#include "api/object_levels.h"

namespace freshet::api {

/// Who has which levels on one object, as it is told. Source: the published Permissions API, 2.0.
class Acl {
 public:
  /// `from`: what it is inherited from; empty: it was said of the object itself.
  void Add(const catalog::Principal& principal, std::string_view level,
           const std::string& from = {});
  /// With what the group of administrators has on everything of the type.
  Json ToJson(const std::string& type, const std::string& id) &&;

 private:
  struct Entry {
    catalog::Principal principal{};
    Json permissions = Json::array();
  };
  std::vector<Entry> entries_;  // each principal once
};

/// Read `access_control_list`, each entry `{user_name | group_name | service_principal_name,
/// permission_level}`. Errors: INVALID_ARGUMENT, NOT_FOUND (a principal that is none).
Result<std::vector<catalog::Permission>> ReadAcl(const Context& context, const Request& request,
                                                 Levels levels);
Json LevelsToJson(Levels levels);

}  // namespace freshet::api
