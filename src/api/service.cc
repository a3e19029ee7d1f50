// SPDX-License-Identifier: Apache-2.0
#include "api/service.h"

#include "base/log.h"
#include "base/server_limits.h"

namespace freshet::api {
namespace {

constexpr std::string_view kBearer = "Bearer ";

/// Whether what the route needs is not a token.
bool IsOpen(const Route* route) { return route != nullptr && route->open; }

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

Response ComeAgain() {
  auto refused = ErrorResponse(
      429, "REQUEST_LIMIT_EXCEEDED",
      fmt::format("{} requests wait for a source already; try again", limits::kSourceVisitsMax));
  refused.headers.emplace_back("Retry-After", std::to_string(limits::kSourceVisitAgain.count()));
  return refused;
}

}  // namespace

Service::Service(const Context& context) : context_(context) {
  router_.Add({.method = "GET",
               .pattern = "/health",
               .operation = "health",
               .handler =
                   [](const Request&) {
                     return Json{{"status", "ok"}};
                   },
               .open = true});
  router_.Add({.method = "GET",
               .pattern = "/ready",
               .operation = "ready",
               .handler = [this](const Request&) -> Result<Json> {
                 if (ready_) return Json{{"status", "ready"}};
                 return Error(ErrorClass::STORE_UNAVAILABLE, "the server is starting or ending");
               },
               .open = true});
  router_.Add({.method = "GET",
               .pattern = "/api/openapi.json",
               .operation = "openapi",
               .handler = [this](const Request&) { return OpenApiOf(router_.routes()); }});
  AddIdentity(context_, &router_);
  AddConnections(context_, &router_);
  AddCatalogs(context_, &router_);
  AddTables(context_, &router_);
  AddGrants(context_, &router_);
  AddPipelines(context_, &router_);
  AddUpdates(context_, &router_);
}

Result<bool> Service::Authenticate(Request& request) const {
  if (!request.authorization.starts_with(kBearer)) return false;
  FRESHET_TRY(auto user, context_.identity->WhoHas(request.authorization.substr(kBearer.size())));
  if (!user) return false;
  request.user = *user;
  return true;
}

Response Service::Serve(Request& request, const ReceiveBody& receive) const {
  auto readable = ReadTarget(&request);
  const auto* route = readable.ok() ? router_.Find(&request) : nullptr;
  if (!IsOpen(route)) {
    // Before anything is said of what there is.
    auto known = Authenticate(request);
    if (!known.ok()) return ErrorResponse(known.status());
    if (!*known) {
      auto refused =
          ErrorResponse(401, "UNAUTHENTICATED", "a token is needed: Authorization: Bearer <token>");
      refused.headers.emplace_back("WWW-Authenticate", "Bearer");
      return refused;
    }
  }
  if (!readable.ok()) return ErrorResponse(readable);
  if (route == nullptr) {
    return ErrorResponse(
        404, "ENDPOINT_NOT_FOUND",
        fmt::format("No API found for '{} {}'", request.method, Legible(request.target)));
  }
  if (receive) {
    if (auto refusal = receive(&request)) return std::move(*refusal);
  }
  std::optional<Visit> visit;
  if (route->visits_source && !visit.emplace(&visits_).granted()) return ComeAgain();
  auto answer = route->handler(request);
  if (!answer.ok()) return ErrorResponse(answer.status());
  return {.status = 200, .body = ToText(*answer)};
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
