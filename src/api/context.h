// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/router.h"
#include "base/clock.h"
#include "catalog/catalog.h"
#include "catalog/grants.h"
#include "catalog/identity.h"
#include "pipeline/pipeline_book.h"
#include "pipeline/update_runner.h"

namespace freshet::api {

/// What the handlers work with. A value of pointers; what they point at outlives the server.
struct Context {
  catalog::Catalog* catalog = nullptr;
  catalog::Identity* identity = nullptr;
  catalog::Grants* grants = nullptr;
  const Clock* clock = nullptr;
  pipeline::PipelineBook* book = nullptr;
  pipeline::UpdateRunner* runner = nullptr;
  const pipeline::UpdateParts* update_parts = nullptr;
  pipeline::OpenSource open_source;
  std::string data;  // the server's directory
  std::string metastore_id, workspace_id;
};

/// Add one resource's routes.
void AddCatalogs(const Context& context, Router* router);
void AddConnections(const Context& context, Router* router);
void AddGrants(const Context& context, Router* router);
void AddIdentity(const Context& context, Router* router);
void AddPipelines(const Context& context, Router* router);
void AddTables(const Context& context, Router* router);
void AddUpdates(const Context& context, Router* router);

/// Bind a handler to the context that it works with.
inline Handler Bind(const Context& context,
                    Result<Json> (*handler)(const Context&, const Request&)) {
  return [context, handler](const Request& request) { return handler(context, request); };
}

/// Adds a resource's routes, their handlers bound to the context.
class RouteAdder {
 public:
  RouteAdder(const Context& context, Router* router) : context_(context), router_(router) {}
  void operator()(std::string_view method, std::string_view pattern, std::string_view operation,
                  Result<Json> (*handler)(const Context&, const Request&),
                  std::vector<std::string_view> query = {}, bool visits_source = false) const {
    router_->Add({.method = method,
                  .pattern = pattern,
                  .operation = operation,
                  .handler = Bind(context_, handler),
                  .query = std::move(query),
                  .visits_source = visits_source});
  }

 private:
  const Context& context_;
  Router* const router_;
};

}  // namespace freshet::api
