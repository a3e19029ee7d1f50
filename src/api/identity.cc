// SPDX-License-Identifier: Apache-2.0
// The workspace and its metastore. Source: the published Unity Catalog API, and what clients look
// for at login.
#include "api/oauth.h"

namespace freshet::api {
namespace {

constexpr char kMetastoreName[] = "freshet";

Result<Json> Configuration(const Context& context, const Request& request) {
  return Json{{"oidc_endpoint", UrlOf(context, request) + "/oidc"},
              {"workspace_id", context.workspace_id}};
}

Json MetastoreToJson(const Context& context) {
  return {{"metastore_id", context.metastore_id},
          {"name", kMetastoreName},
          {"global_metastore_id", "freshet:local:" + context.metastore_id},
          {"cloud", "self-hosted"},
          {"region", "local"},
          {"storage_root", catalog::FileUri(context.data + "/tables")},
          {"privilege_model_version", "1.0"}};
}

Result<Json> Assignment(const Context& context, const Request&) {
  return Json{{"metastore_id", context.metastore_id},
              {"workspace_id", std::stoll(context.workspace_id)},
              {"default_catalog_name", "main"}};
}

Result<Json> Summary(const Context& context, const Request&) { return MetastoreToJson(context); }

Result<Json> GetMetastore(const Context& context, const Request& request) {
  if (request.part("id") == context.metastore_id) return MetastoreToJson(context);
  return Error(ErrorClass::NOT_FOUND, "Metastore '{}' does not exist.", request.part("id"));
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
Metastore = {metastore_id: text, name: text, global_metastore_id: text, cloud: text, region: text,
  storage_root: text, privilege_model_version: text}
configuration(): {oidc_endpoint: text, workspace_id: text} -- Where clients log in, and to what.
metastores.current(): {metastore_id: text, workspace_id: number, default_catalog_name: text} -- Tells the workspace's metastore.
metastores.summary(): Metastore -- Tells of the one metastore that there is.
metastores.get(): Metastore -- Tells of a metastore.
)";

}  // namespace

void AddIdentity(const Context& context, Router* router) {
  router->Describe(kDescription);
  const RouteAdder add(context, router);
  add("GET", "/.well-known/databricks-config", "configuration", Rule::Open(), Configuration);
  add("GET", "/api/2.1/unity-catalog/current-metastore-assignment", "metastores.current",
      Rule::Anyone(), Assignment);
  add("GET", "/api/2.1/unity-catalog/metastore_summary", "metastores.summary", Rule::Anyone(),
      Summary);
  add("GET", "/api/2.1/unity-catalog/metastores/{id}", "metastores.get", Rule::Anyone(),
      GetMetastore);
}

}  // namespace freshet::api
