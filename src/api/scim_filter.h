// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "catalog/principals.h"

namespace freshet::api {

/// What the attributes of a resource are called in the catalog, by their names in lower case.
using ScimFields = std::map<std::string, std::string>;

/// Read a SCIM filter of comparisons (eq, ne, co, sw) joined by `and` and `or`, `and` first; empty:
/// all. Errors: INVALID_ARGUMENT. Source: RFC 7644, 3.4.2.2, as far as the published API takes it.
Result<std::vector<std::vector<catalog::PrincipalCondition>>> ParseScimFilter(
    std::string_view text, const ScimFields& fields);

/// Read the id out of `members[value eq "12"]`. Errors: INVALID_ARGUMENT.
Result<int64_t> ParseMemberPath(std::string_view path);

}  // namespace freshet::api
