// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/rate_limiter.h"
#include "api/router.h"
#include "api/rule.h"
#include "base/clock.h"
#include "catalog/access.h"
#include "catalog/audit_log.h"
#include "catalog/catalog.h"
#include "catalog/grants.h"
#include "catalog/identity.h"
#include "catalog/permissions.h"
#include "catalog/principals.h"
#include "catalog/workspace.h"
#include "pipeline/pipeline_book.h"
#include "pipeline/update_runner.h"

namespace freshet::api {

/// What the handlers work with. A value of pointers; what they point at outlives the server.
struct Context {
  catalog::Catalog* catalog = nullptr;
  catalog::Principals* principals = nullptr;
  catalog::Identity* identity = nullptr;
  catalog::Grants* grants = nullptr;
  catalog::Access* access = nullptr;
  catalog::Permissions* permissions = nullptr;
  catalog::Workspace* workspace = nullptr;
  catalog::AuditLog* audit = nullptr;
  /// By principal, and by address of those who have no good token.
  RateLimiter *callers = nullptr, *strangers = nullptr;
  const Clock* clock = nullptr;
  pipeline::PipelineBook* book = nullptr;
  pipeline::UpdateRunner* runner = nullptr;
  const pipeline::UpdateParts* update_parts = nullptr;
  pipeline::OpenSource open_source;
  std::string data;  // the server's directory
  std::string metastore_id{}, workspace_id{};
  /// How clients reach the server, such as `https://freshet.example.com`; empty: as they say.
  std::string external_url{};
  bool tls = false;  // it is listened with
};

/// Add one resource's routes.
void AddAudit(const Context& context, Router* router);
void AddCatalogs(const Context& context, Router* router);
void AddConnections(const Context& context, Router* router);
void AddFiles(const Context& context, Router* router);
void AddGrants(const Context& context, Router* router);
void AddIdentity(const Context& context, Router* router);
void AddLineage(const Context& context, Router* router);
void AddOAuth(const Context& context, Router* router);
void AddPermissions(const Context& context, Router* router);
void AddPrincipals(const Context& context, Router* router);
void AddPipelines(const Context& context, Router* router);
void AddRunLogs(const Context& context, Router* router);
void AddTables(const Context& context, Router* router);
void AddTokens(const Context& context, Router* router);
void AddUpdates(const Context& context, Router* router);
void AddWorkspace(const Context& context, Router* router);
void AddWorkspacePermissions(const Context& context, Router* router);

/// Adds a resource's routes, their handlers bound to the context. Each says who may use it.
class RouteAdder {
 public:
  RouteAdder(const Context& context, Router* router) : context_(context), router_(router) {}

  using Answer = Result<Json> (*)(const Context&, const Request&);
  void operator()(std::string_view method, std::string_view pattern, std::string_view operation,
                  Rule rule, Answer answer) const {
    Add(method, pattern, operation, std::move(rule), Bind(answer));
  }

  /// For what is no JSON, or has a status of its own.
  using Respond = Result<Response> (*)(const Context&, const Request&);
  void operator()(std::string_view method, std::string_view pattern, std::string_view operation,
                  Rule rule, Respond respond) const {
    Add(method, pattern, operation, std::move(rule), Bind(respond));
  }

  /// For a body that may be large.
  using RespondStreamed = Result<Response> (*)(const Context&, const Request&, const BringBody&);
  void Streamed(std::string_view method, std::string_view pattern, std::string_view operation,
                Rule rule, RespondStreamed respond) const {
    auto stream = [context = context_, respond](const Request& request, const BringBody& bring) {
      return respond(context, request, bring);
    };
    router_->Add({.method = method,
                  .pattern = pattern,
                  .operation = operation,
                  .rule = std::move(rule),
                  .stream = std::move(stream)});
  }

  /// For what waits for a source.
  void Visiting(std::string_view method, std::string_view pattern, std::string_view operation,
                Rule rule, Answer answer) const {
    AddVisiting(method, pattern, operation, std::move(rule), Bind(answer));
  }
  void Visiting(std::string_view method, std::string_view pattern, std::string_view operation,
                Rule rule, Respond respond) const {
    AddVisiting(method, pattern, operation, std::move(rule), Bind(respond));
  }

  /// For a body that may be a form of several parts.
  void WithForm(std::string_view pattern, std::string_view operation, Rule rule,
                Answer answer) const {
    router_->Add({.method = "POST",
                  .pattern = pattern,
                  .operation = operation,
                  .rule = std::move(rule),
                  .handler = Bind(answer),
                  .form = true});
  }

 private:
  Handler Bind(Answer answer) const {
    return [context = context_, answer](const Request& request) -> Result<Response> {
      FRESHET_TRY(auto json, answer(context, request));
      return Response{.body = JsonText(json)};
    };
  }
  Handler Bind(Respond respond) const {
    return
        [context = context_, respond](const Request& request) { return respond(context, request); };
  }
  void AddVisiting(std::string_view method, std::string_view pattern, std::string_view operation,
                   Rule rule, Handler handler) const {
    router_->Add({.method = method,
                  .pattern = pattern,
                  .operation = operation,
                  .rule = std::move(rule),
                  .handler = std::move(handler),
                  .visits_source = true});
  }
  void Add(std::string_view method, std::string_view pattern, std::string_view operation, Rule rule,
           Handler handler) const {
    router_->Add({.method = method,
                  .pattern = pattern,
                  .operation = operation,
                  .rule = std::move(rule),
                  .handler = std::move(handler)});
  }

  const Context& context_;
  Router* const router_;
};

}  // namespace freshet::api
