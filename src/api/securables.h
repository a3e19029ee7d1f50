// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "api/context.h"

namespace freshet::api {

/// What descriptions of resources have in common: an entry of the catalog, what can be changed of
/// every one, the end of a page.
inline constexpr std::string_view kCommonDescription = R"(
Securable = {full_name: text, owner: text, comment?: text, properties?: {*: text}, metastore_id: text,
  created_at: number, created_by: text, updated_at: number, updated_by: text}
SecurableChange = {new_name?: text, owner?: text, comment?: text, properties?: {*: text}}
Page = {next_page_token?: text}
)";

/// Add what every entry of the catalog has: owner, comment, properties, times, who.
/// Source: the published shapes of the Unity Catalog API.
void AddCommon(const Context& context, const catalog::Securable& securable, Json* json);

/// Read `max_results` and `page_token`. Errors: INVALID_ARGUMENT.
Result<catalog::PageRequest> PageOf(const Request& request);
/// Return `{name: [items], next_page_token}`.
Json PageToJson(const Context& context, const catalog::Page& page, const char* name,
                Json (*to_json)(const Context&, const catalog::Securable&));

/// Read `new_name`, `owner`, `comment` and `properties` of a change.
catalog::Change ReadChange(Fields* fields);

/// Return the path of a `file://` URI that data may lie in: absolute, whole, outside the server's
/// own directory. Errors: INVALID_ARGUMENT, UNSUPPORTED_FIELD (another kind of storage).
Result<std::string> StoragePath(const Context& context, std::string_view field,
                                const std::string& uri);

}  // namespace freshet::api
