// SPDX-License-Identifier: Apache-2.0
// Who calls, tokens, the workspace and its metastore. Source: the published SCIM, token and Unity
// Catalog APIs, as far as clients use them at login.
#include "api/context.h"

namespace freshet::api {
namespace {

constexpr char kMetastoreName[] = "freshet";

Result<Json> Me(const Context&, const Request& request) {
  const auto& user = request.user;
  auto group = Json::array(
      {{{"display", "admins"}, {"value", "1"}, {"type", "direct"}, {"$ref", "Groups/1"}}});
  return Json{
      {"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}},
      {"id", std::to_string(user.id)},
      {"userName", user.name},
      {"displayName", user.display_name},
      {"active", true},
      {"emails", Json::array({{{"value", user.name}, {"type", "work"}, {"primary", true}}})},
      {"groups", group}};
}

Result<Json> Configuration(const Context& context, const Request&) {
  return Json{{"workspace_id", context.workspace_id}};
}

Json TokenToJson(const catalog::TokenInfo& info) {
  return {{"token_id", info.id},
          {"comment", info.comment},
          {"creation_time", info.created_at},
          {"expiry_time", info.expires_at.value_or(-1)}};
}

Result<Json> CreateToken(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  auto comment = fields.Text("comment").value_or("");
  auto lifetime = fields.Number("lifetime_seconds");
  constexpr int64_t kCenturySeconds = int64_t{100} * 366 * 24 * 3600;
  if (lifetime && (*lifetime < 1 || *lifetime > kCenturySeconds))
    fields.Fail("lifetime_seconds", "is not a number of seconds from 1 to a century's");
  fields.NotBuilt({"scopes", "autoscope_enabled"});
  FRESHET_CHECK_OK(fields.Finish());
  FRESHET_TRY(auto made, context.identity->AddToken(request.user, comment, lifetime));
  return Json{{"token_value", made.text.Reveal()}, {"token_info", TokenToJson(made.info)}};
}

Result<Json> ListTokens(const Context& context, const Request& request) {
  FRESHET_TRY(auto tokens, context.identity->Tokens(request.user));
  auto list = Json::array();
  for (const auto& token : tokens) list.push_back(TokenToJson(token));
  return Json{{"token_infos", list}};
}

Result<Json> DeleteToken(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  auto id = fields.Required("token_id");
  FRESHET_CHECK_OK(fields.Finish());
  FRESHET_CHECK_OK(context.identity->RemoveToken(request.user, id));
  return Json::object();
}

Json MetastoreToJson(const Context& context) {
  return {{"metastore_id", context.metastore_id},
          {"name", kMetastoreName},
          {"global_metastore_id", "freshet:local:" + context.metastore_id},
          {"cloud", "self-hosted"},
          {"region", "local"},
          {"storage_root", "file://" + context.data + "/tables"},
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

}  // namespace

void AddIdentity(const Context& context, Router* router) {
  const RouteAdder add(context, router);
  router->Add({.method = "GET",
               .pattern = "/.well-known/databricks-config",
               .operation = "configuration",
               .handler = Bind(context, Configuration),
               .open = true});
  add("GET", "/api/2.0/preview/scim/v2/Me", "current_user.me", Me);
  add("POST", "/api/2.0/token/create", "tokens.create", CreateToken);
  add("GET", "/api/2.0/token/list", "tokens.list", ListTokens);
  add("POST", "/api/2.0/token/delete", "tokens.delete", DeleteToken);
  add("GET", "/api/2.1/unity-catalog/current-metastore-assignment", "metastores.current",
      Assignment);
  add("GET", "/api/2.1/unity-catalog/metastore_summary", "metastores.summary", Summary);
  add("GET", "/api/2.1/unity-catalog/metastores/{id}", "metastores.get", GetMetastore);
}

}  // namespace freshet::api
