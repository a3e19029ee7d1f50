// SPDX-License-Identifier: Apache-2.0
// Personal access tokens, of oneself and, for administrators, of all; secrets of service
// principals.
// Source: the published token, token management and service principal secrets APIs.
#include "api/context.h"
#include "api/updates.h"
#include "base/server_limits.h"

namespace freshet::api {
namespace {

using catalog::PrincipalKind;

constexpr int64_t kCenturySeconds = int64_t{100} * 366 * 24 * 3600;

Json TokenToJson(const catalog::TokenInfo& info) {
  return {{"token_id", info.id},
          {"comment", info.comment},
          {"creation_time", info.created_at},
          {"expiry_time", info.expires_at.value_or(-1)}};
}

Json ManagedToJson(const catalog::TokenInfo& info) {
  auto json = TokenToJson(info);
  json["owner_id"] = info.owner;
  json["created_by_id"] = info.created_by;
  json["created_by_username"] = info.created_by_name;
  return json;
}

/// Read `comment` and `lifetime_seconds`.
catalog::Identity::TokenRequest ReadToken(Fields* fields) {
  catalog::Identity::TokenRequest wanted{.comment = fields->Text("comment").value_or("")};
  wanted.lifetime_seconds = fields->Number("lifetime_seconds");
  auto lifetime = wanted.lifetime_seconds.value_or(1);
  if (lifetime < 1 || lifetime > kCenturySeconds)
    fields->Fail("lifetime_seconds", "is not a number of seconds from 1 to a century's");
  if (wanted.comment.size() > limits::kNameBytesMax)
    fields->Fail("comment", fmt::format("is longer than {} bytes", limits::kNameBytesMax));
  fields->NotBuilt({"scopes", "autoscope_enabled"});
  return wanted;
}

Result<Json> CreateToken(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  auto wanted = ReadToken(&fields);
  FRESHET_CHECK_OK(fields.Finish());
  wanted.owner = wanted.created_by = request.user.id;
  FRESHET_TRY(auto made, context.identity->AddToken(wanted));
  return Json{{"token_value", made.text.Reveal()}, {"token_info", TokenToJson(made.info)}};
}

Result<Json> ListTokens(const Context& context, const Request& request) {
  FRESHET_TRY(auto tokens, context.identity->Tokens(request.user.id));
  auto list = Json::array();
  for (const auto& token : tokens) list.push_back(TokenToJson(token));
  return Json{{"token_infos", list}};
}

Result<Json> DeleteToken(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  auto id = fields.Required("token_id");
  FRESHET_CHECK_OK(fields.Finish());
  FRESHET_CHECK_OK(context.identity->RemoveToken(request.user.id, id));
  return Json::object();
}

Result<Json> CommentToken(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  const auto* token = fields.Object("token");
  fields.Ignore({"update_mask", "token_id"});
  FRESHET_CHECK_OK(fields.Finish());
  if (token == nullptr) return Json::object();
  Fields inner(*token, "token");
  auto comment = inner.Text("comment").value_or("");
  inner.Ignore({"token_id"});
  FRESHET_CHECK_OK(inner.Finish());
  FRESHET_CHECK_OK(context.identity->SetComment(request.user.id, request.part("id"), comment));
  return Json::object();
}

Result<Json> CreateOnBehalf(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  auto application = fields.Required("application_id");
  auto wanted = ReadToken(&fields);
  FRESHET_CHECK_OK(fields.Finish());
  FRESHET_TRY(auto found, context.principals->Find(application));
  if (!found || found->kind != PrincipalKind::kService) {
    return Error(ErrorClass::NOT_FOUND, "Service principal with application id {} not found.",
                 application);
  }
  wanted.owner = found->id;
  wanted.created_by = request.user.id;
  FRESHET_TRY(auto made, context.identity->AddToken(wanted));
  made.info.owner = wanted.owner;
  made.info.created_by = wanted.created_by;
  made.info.created_by_name = request.user.name;
  return Json{{"token_value", made.text.Reveal()}, {"token_info", ManagedToJson(made.info)}};
}

Result<Json> ListManaged(const Context& context, const Request& request) {
  FRESHET_TRY(auto creator, request.NumberParameter("created_by_id", 0));
  auto name = catalog::Lower(request.parameter("created_by_username"));
  FRESHET_TRY(auto tokens, context.identity->Tokens(0));
  auto list = Json::array();
  for (const auto& token : tokens) {
    bool wanted = (creator == 0 || token.created_by == creator) &&
                  (name.empty() || catalog::Lower(token.created_by_name) == name);
    if (wanted) list.push_back(ManagedToJson(token));
  }
  return Json{{"token_infos", list}};
}

Result<Json> GetManaged(const Context& context, const Request& request) {
  FRESHET_TRY(auto tokens, context.identity->Tokens(0));
  for (const auto& token : tokens) {
    if (token.id == request.part("id")) return Json{{"token_info", ManagedToJson(token)}};
  }
  return Error(ErrorClass::NOT_FOUND, "Token '{}' does not exist.", request.part("id"));
}

Result<Json> DeleteManaged(const Context& context, const Request& request) {
  FRESHET_CHECK_OK(context.identity->RemoveToken(0, request.part("id")));
  return Json::object();
}

Result<catalog::Principal> ServiceOf(const Context& context, const Request& request) {
  FRESHET_TRY(auto id, NumberOf(request.part("service")));
  return context.principals->Get(PrincipalKind::kService, id);
}

Json SecretToJson(const catalog::ClientSecretInfo& info, int64_t now_ms) {
  return {{"id", info.id},
          {"status", info.expires_at > now_ms ? "ACTIVE" : "EXPIRED"},
          {"create_time", TimeText(info.created_at)},
          {"update_time", TimeText(info.created_at)},
          {"expire_time", TimeText(info.expires_at)}};
}

/// `63072000s`, as the published API writes a duration, or a number.
Result<int64_t> ReadLifetime(const std::optional<std::string>& text) {
  constexpr int64_t kStandard = limits::kClientSecretLifetime / std::chrono::seconds(1);
  if (!text) return kStandard;
  auto digits = text->ends_with('s') ? text->substr(0, text->size() - 1) : *text;
  auto seconds = NumberOf(digits);
  if (seconds.ok() && *seconds >= 1 && *seconds <= kStandard) return *seconds;
  return Error(ErrorClass::INVALID_ARGUMENT, "lifetime is not a time of 1s to {}s: '{}'", kStandard,
               *text);
}

Result<Json> CreateSecret(const Context& context, const Request& request) {
  FRESHET_TRY(auto service, ServiceOf(context, request));
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  auto lifetime = fields.Text("lifetime");
  fields.NotBuilt({"scopes"});
  FRESHET_CHECK_OK(fields.Finish());
  FRESHET_TRY(auto seconds, ReadLifetime(lifetime));
  FRESHET_TRY(auto made, context.identity->AddClientSecret(service.id, seconds));
  auto json = SecretToJson(made.info, made.info.created_at);
  json["secret"] = made.text.Reveal();
  return json;
}

Result<Json> ListSecrets(const Context& context, const Request& request) {
  FRESHET_TRY(auto service, ServiceOf(context, request));
  FRESHET_TRY(auto secrets, context.identity->ClientSecrets(service.id));
  auto list = Json::array();
  for (const auto& each : secrets)
    list.push_back(SecretToJson(each, context.clock->WallNow() / 1000));
  return Json{{"secrets", list}};
}

Result<Json> DeleteSecret(const Context& context, const Request& request) {
  FRESHET_TRY(auto service, ServiceOf(context, request));
  FRESHET_CHECK_OK(context.identity->RemoveClientSecret(service.id, request.part("secret")));
  return Json::object();
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
TokenRequest = {comment?: text, lifetime_seconds?: number, scopes?: unbuilt, autoscope_enabled?: unbuilt}
Token = {token_id: text, comment: text, creation_time: number, expiry_time: number}
ManagedToken = {...Token, owner_id: number, created_by_id: number, created_by_username: text}
Secret = {id: text, status: "ACTIVE" | "EXPIRED", create_time: moment, update_time: moment, expire_time: moment}

tokens.create(TokenRequest): {token_value: text, token_info: Token} -- Makes a token of one's own.
tokens.list(): {token_infos: [Token]} -- Lists one's tokens.
tokens.delete({token_id: text}): {} -- Ends a token of one's own.
tokens.update({token?: {comment?: text, token_id?: any}, update_mask?: any, token_id?: any}): {} -- Changes what is said of one.

token_management.create_obo_token({application_id: text, ...TokenRequest}): {token_value: text, token_info: ManagedToken} -- Makes a service principal's token.
token_management.list(created_by_id?: count, created_by_username?: text): {token_infos: [ManagedToken]} -- Lists everybody's tokens.
token_management.get(): {token_info: ManagedToken} -- Tells of a token.
token_management.delete(): {} -- Ends anybody's token.

service_principal_secrets.create({lifetime?: text, scopes?: unbuilt}): {...Secret, secret: text} -- Makes a secret.
service_principal_secrets.list(): {secrets: [Secret]} -- Lists the secrets, but not themselves.
service_principal_secrets.delete(): {} -- Ends a secret.
)";

}  // namespace

void AddTokens(const Context& context, Router* router) {
  router->Describe(kDescription);
  constexpr std::string_view
      kManaged = "/api/2.0/token-management/tokens",
      kOne = "/api/2.0/token-management/tokens/{id}",
      kSecrets = "/api/2.0/accounts/servicePrincipals/{service}/credentials/secrets",
      kSecret = "/api/2.0/accounts/servicePrincipals/{service}/credentials/secrets/{secret}";
  const RouteAdder add(context, router);
  add("POST", "/api/2.0/token/create", "tokens.create", Rule::Anyone(), CreateToken);
  add("GET", "/api/2.0/token/list", "tokens.list", Rule::Anyone(), ListTokens);
  add("POST", "/api/2.0/token/delete", "tokens.delete", Rule::Anyone(), DeleteToken);
  add("PATCH", "/api/2.0/token/{id}", "tokens.update", Rule::Anyone(), CommentToken);
  add("POST", "/api/2.0/token-management/on-behalf-of/tokens", "token_management.create_obo_token",
      Rule::Admins(), CreateOnBehalf);
  add("GET", kManaged, "token_management.list", Rule::Admins(), ListManaged);
  add("GET", kOne, "token_management.get", Rule::Admins(), GetManaged);
  add("DELETE", kOne, "token_management.delete", Rule::Admins(), DeleteManaged);
  add("POST", kSecrets, "service_principal_secrets.create", Rule::Admins(), CreateSecret);
  add("GET", kSecrets, "service_principal_secrets.list", Rule::Admins(), ListSecrets);
  add("DELETE", kSecret, "service_principal_secrets.delete", Rule::Admins(), DeleteSecret);
}

}  // namespace freshet::api
