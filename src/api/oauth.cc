// SPDX-License-Identifier: Apache-2.0
// Short-lived tokens for service principals' secrets, and where to ask for them. Source: RFC 6749,
// 2.3.1 and 4.4; RFC 8414, as far as the published clients go.
#include "api/oauth.h"

#include <algorithm>

#include "api/base64.h"
#include "base/server_limits.h"

namespace freshet::api {
namespace {

constexpr std::string_view kScope = "all-apis";

/// Source: RFC 6749, 5.2; clients read these fields and no others.
Response Refuse(int status, std::string_view error, std::string_view why) {
  Json body{{"error", error},
            {"error_description", why},
            {"error_code", status == 401 ? "UNAUTHENTICATED" : "INVALID_PARAMETER_VALUE"},
            {"message", why}};
  Response response{.status = status, .body = JsonText(body)};
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Basic");
  return response;
}

struct Client {
  std::string id{};
  Secret secret{};
};

/// By the header, else by the form. Empty: it says neither.
Client ClientOf(const Request& request, const std::map<std::string, std::string>& form) {
  constexpr std::string_view kBasic = "Basic ";
  if (request.authorization.starts_with(kBasic)) {
    auto pair =
        FromBase64(std::string_view(request.authorization).substr(kBasic.size())).value_or("");
    auto colon = pair.find(':');
    if (colon == std::string::npos) return {};
    return {.id = pair.substr(0, colon), .secret = Secret(pair.substr(colon + 1))};
  }
  auto field = [&](const char* name) {
    auto found = form.find(name);
    return found == form.end() ? std::string() : found->second;
  };
  return {.id = field("client_id"), .secret = Secret(field("client_secret"))};
}

Result<Response> GiveToken(const Context& context, const Request& request) {
  auto form = ReadForm(request.body);
  if (!form.ok()) return Refuse(400, "invalid_request", "the body is not a form");
  if ((*form)["grant_type"] != "client_credentials")
    return Refuse(400, "unsupported_grant_type", "grant_type is not client_credentials");
  if (auto scope = (*form)["scope"]; !scope.empty() && scope != kScope)
    return Refuse(400, "invalid_scope", "the one scope that there is is all-apis");
  auto client = ClientOf(request, *form);
  FRESHET_TRY(auto token, context.identity->AddAccessToken(client.id, client.secret.Reveal()));
  if (!token) return Refuse(401, "invalid_client", "the client's id or secret is not good");
  return Response{
      .body = JsonText(Json{{"access_token", token->Reveal()},
                            {"token_type", "Bearer"},
                            {"expires_in", limits::kAccessTokenLifetime / std::chrono::seconds(1)},
                            {"scope", kScope}})};
}

Result<Json> Discover(const Context& context, const Request& request) {
  auto oidc = UrlOf(context, request) + "/oidc";
  return Json{
      {"issuer", oidc},
      {"authorization_endpoint", oidc + "/v1/authorize"},
      {"token_endpoint", oidc + "/v1/token"},
      {"grant_types_supported", {"client_credentials"}},
      {"scopes_supported", {kScope}},
      {"token_endpoint_auth_methods_supported", {"client_secret_basic", "client_secret_post"}}};
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
oauth.discover(): {issuer: text, authorization_endpoint: text, token_endpoint: text, grant_types_supported: [text],
  scopes_supported: [text], token_endpoint_auth_methods_supported: [text]} -- Where tokens are given for secrets.
# Source: RFC 6749, 3.2: what is not known is ignored.
oauth.token(form {grant_type: "client_credentials", scope?: text, client_id?: text, client_secret?: text, *: any}):
  {access_token: text, token_type: text, expires_in: count, scope: text} -- Gives a token for a secret.
)";

}  // namespace

std::string UrlOf(const Context& context, const Request& request) {
  if (!context.external_url.empty()) return context.external_url;
  auto good = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view(".-:[]_").find(c) != std::string_view::npos;
  };
  // It goes back to who said it, and to nobody else.
  auto host = std::ranges::all_of(request.host, good) ? request.host : "";
  return (context.tls ? "https://" : "http://") + host;
}

std::string ClientIdOf(const Request& request) {
  auto form = ReadForm(request.body);
  return ClientOf(request, form.ok() ? *form : std::map<std::string, std::string>()).id;
}

void AddOAuth(const Context& context, Router* router) {
  router->Describe(kDescription);
  const RouteAdder add(context, router);
  add("GET", "/oidc/.well-known/oauth-authorization-server", "oauth.discover", Rule::Open(),
      Discover);
  // What it takes stands in the request itself.
  add("POST", "/oidc/v1/token", "oauth.token", Rule::Open(), GiveToken);
}

}  // namespace freshet::api
