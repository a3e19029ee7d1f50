// SPDX-License-Identifier: Apache-2.0
#include "api/service.h"

#include <algorithm>

#include "api/audit.h"
#include "api/openapi.h"
#include "api/securables.h"
#include "base/log.h"
#include "base/server_limits.h"

namespace freshet::api {
namespace {

constexpr std::string_view kBearer = "Bearer ";

/// Whether what the route needs is not a token.
bool IsOpen(const Route* route) { return route != nullptr && route->rule.open(); }

Result<Response> Respond(const Json& json) { return Response{.body = JsonText(json)}; }

Response TooMany(int64_t seconds) {
  return ComeAgain(seconds, fmt::format("too many requests: try again in {} s", seconds));
}

/// A client may send anything in its target: only this much of it, and no line's end, is logged.
std::string Legible(std::string_view target) {
  std::string text;
  for (char c : target.substr(0, std::min<size_t>(target.find('?'), 200))) {
    bool plain = c > ' ' && c < 0x7f && c != '"' && c != '\\';
    text += plain ? c : '?';
  }
  return text;
}

/// One of the few requests that may wait for a source at once.
class Visit {
 public:
  explicit Visit(std::atomic<int>* visits)
      : visits_(visits), granted_(visits->fetch_add(1) < limits::kSourceVisitsMax) {}
  ~Visit() { visits_->fetch_sub(1); }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  bool granted() const { return granted_; }

 private:
  std::atomic<int>* const visits_;
  const bool granted_;
};

/// What a route does not say that it reads, it does not get.
void KeepDescribed(const Described& described, std::map<std::string, std::string>* query) {
  std::erase_if(*query, [&](const auto& given) {
    return std::ranges::none_of(described.query,
                                [&](const auto& each) { return each.name == given.first; });
  });
}

Response TooManyVisits() {
  return ComeAgain(
      limits::kSourceVisitAgain.count(),
      fmt::format("{} requests wait for a source already; try again", limits::kSourceVisitsMax));
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
health(): {status: text} -- Answers.
ready(): {status: text} -- Answers once the server works, until it ends.
openapi(): {*: any} -- Tells this document.
)";

}  // namespace

Service::Service(const Context& context) : context_(context) {
  router_.Describe(kCommonDescription);
  router_.Describe(kDescription);
  router_.Add({.method = "GET",
               .pattern = "/health",
               .operation = "health",
               .rule = Rule::Open(),
               .handler = [](const Request&) {
                 return Respond(Json{{"status", "ok"}});
               }});
  router_.Add({.method = "GET",
               .pattern = "/ready",
               .operation = "ready",
               .rule = Rule::Open(),
               .handler = [this](const Request&) -> Result<Response> {
                 if (ready_) return Respond(Json{{"status", "ready"}});
                 return Error(ErrorClass::STORE_UNAVAILABLE, "the server is starting or ending");
               }});
  router_.Add({.method = "GET",
               .pattern = "/api/openapi.json",
               .operation = "openapi",
               // It says of every server the same, and nothing of what this one has.
               .rule = Rule::Open(),
               .handler = [this](const Request&) -> Result<Response> {
                 return Response{.body = document_};
               }});
  AddIdentity(context_, &router_);
  AddPrincipals(context_, &router_);
  AddTokens(context_, &router_);
  AddOAuth(context_, &router_);
  AddConnections(context_, &router_);
  AddCatalogs(context_, &router_);
  AddRunLogs(context_, &router_);
  AddTables(context_, &router_);
  AddLineage(context_, &router_);
  AddGrants(context_, &router_);
  AddPipelines(context_, &router_);
  AddUpdates(context_, &router_);
  AddPermissions(context_, &router_);
  AddWorkspace(context_, &router_);
  AddWorkspacePermissions(context_, &router_);
  AddFiles(context_, &router_);
  AddAudit(context_, &router_);
  auto document = OpenApiOf(router_);
  FRESHET_ASSERT(document.ok(), "{}", document.status().ToString());
  document_ = JsonText(*document);
}

Result<bool> Service::Authenticate(Request& request) const {
  if (!request.authorization.starts_with(kBearer)) return false;
  FRESHET_TRY(auto caller, context_.identity->WhoHas(request.authorization.substr(kBearer.size())));
  if (!caller) return false;
  request.user = *caller;
  return true;
}

Response Service::Handle(const Route& route, const Request& request, const BringBody& bring) const {
  auto verdict = route.rule.Decide(context_, request);
  if (!verdict.ok()) return ErrorResponse(verdict.status());
  if (*verdict) return ErrorResponse(403, "PERMISSION_DENIED", **verdict);
  std::optional<Visit> visit;
  if (route.visits_source && !visit.emplace(&visits_).granted()) return TooManyVisits();
  auto answer = route.stream ? route.stream(request, bring) : route.handler(request);
  if (!answer.ok()) return ErrorResponse(answer.status());
  return std::move(*answer);
}

/// What cannot be noted is not done; what was done and could not be noted as such is not taken
/// back.
Response Service::HandleNoted(const Route& route, const Request& request,
                              const BringBody& bring) const {
  auto number = context_.audit->Begin(AuditOf(route, request));
  if (!number.ok()) return ErrorResponse(number.status());
  auto response = Handle(route, request, bring);
  auto ended = EndAudit(context_.audit, *number, response);
  if (!ended.ok()) spdlog::error("the end of a change is not noted: {}", ended.ToString());
  return response;
}

Response Service::Serve(Request& request, const ReceiveBody& receive) const {
  auto readable = ReadTarget(&request);
  const auto* route = readable.ok() ? router_.Find(&request) : nullptr;
  if (!IsOpen(route)) {
    // Before anything is said of what there is.
    auto known = Authenticate(request);
    if (!known.ok()) return ErrorResponse(known.status());
    auto wait = *known ? context_.callers->Take(std::to_string(request.user.id))
                       : context_.strangers->Take(request.client);
    if (wait) return TooMany(*wait);
    if (!*known) {
      auto refused =
          ErrorResponse(401, "UNAUTHENTICATED", "a token is needed: Authorization: Bearer <token>");
      refused.headers.emplace_back("WWW-Authenticate", "Bearer");
      return refused;
    }
  } else if (IsChange(*route)) {
    if (auto wait = context_.strangers->Take(request.client)) return TooMany(*wait);
  }
  if (!readable.ok()) return ErrorResponse(readable);
  if (route == nullptr) {
    return ErrorResponse(
        404, "ENDPOINT_NOT_FOUND",
        fmt::format("No API found for '{} {}'", request.method, Legible(request.target)));
  }
  request.takes_form = route->form;
  KeepDescribed(*router_.DescribedOf(*route), &request.query);
  auto bring = [&](const BodySink& sink) -> std::optional<Response> {
    if (receive) return receive(&request, sink);
    if (sink) sink(request.body);
    return std::nullopt;
  };
  if (!route->stream) {
    if (auto refusal = bring({})) return std::move(*refusal);
  }
  return IsChange(*route) ? HandleNoted(*route, request, bring) : Handle(*route, request, bring);
}

Response Service::Answer(Request&& request, const ReceiveBody& receive) const {
  auto began = context_.clock->Now();
  auto response = Serve(request, receive);
  // Clients read the workspace from it, whatever they asked for.
  response.headers.emplace_back("X-Databricks-Org-Id", context_.workspace_id);
  auto took = std::chrono::duration<double, std::milli>(context_.clock->Now() - began).count();
  spdlog::log(response.status >= 500 ? spdlog::level::err : spdlog::level::info,
              "request method={} path={} status={} ms={:.1f} user={} client={}", request.method,
              Legible(request.target), response.status, took,
              request.user.name.empty() ? "-" : request.user.name, request.client);
  return response;
}

}  // namespace freshet::api
