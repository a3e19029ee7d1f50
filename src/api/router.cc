// SPDX-License-Identifier: Apache-2.0
#include "api/router.h"

#include "catalog/names.h"

namespace freshet::api {
namespace {

std::vector<std::string_view> PartsOf(std::string_view pattern) {
  std::vector<std::string_view> parts;
  while (!pattern.empty()) {
    pattern.remove_prefix(1);
    auto end = std::min(pattern.find('/'), pattern.size());
    parts.push_back(pattern.substr(0, end));
    pattern.remove_prefix(end);
  }
  return parts;
}

bool IsName(std::string_view part) { return part.starts_with('{'); }
bool IsRest(std::string_view part) { return part.starts_with("{*"); }
/// As OpenAPI writes it.
std::string PublishedPattern(std::string_view pattern) {
  std::string published(pattern);
  if (auto star = published.find("{*"); star != std::string::npos) published.erase(star + 1, 1);
  return published;
}
std::string NameOf(std::string_view part) { return std::string(part.substr(1, part.size() - 2)); }

bool Matches(std::string_view pattern, const std::vector<std::string>& path,
             std::map<std::string, std::string>* names, std::vector<std::string>* rest) {
  auto parts = PartsOf(pattern);
  bool open = IsRest(parts.back());
  if (open ? parts.size() > path.size() : parts.size() != path.size()) return false;
  names->clear();
  rest->clear();
  for (size_t i = 0; i < parts.size(); ++i) {
    if (IsRest(parts[i])) {
      rest->assign(path.begin() + static_cast<int>(i), path.end());
      return true;
    }
    if (IsName(parts[i])) {
      (*names)[NameOf(parts[i])] = path[i];
    } else if (parts[i] != path[i]) {
      return false;
    }
  }
  return true;
}

Json ParametersOf(const Route& route) {
  auto parameters = Json::array();
  auto add = [&](std::string_view name, const char* in, bool required) {
    parameters.push_back(
        {{"name", name}, {"in", in}, {"required", required}, {"schema", {{"type", "string"}}}});
  };
  auto pattern = PublishedPattern(route.pattern);
  for (auto part : PartsOf(pattern)) {
    if (IsName(part)) add(part.substr(1, part.size() - 2), "path", true);
  }
  for (auto name : route.query) add(name, "query", false);
  return parameters;
}

Json AnswerOf(std::string_view description, const char* schema) {
  return {{"description", description},
          {"content",
           {{"application/json",
             {{"schema", {{"$ref", std::string("#/components/schemas/") + schema}}}}}}}};
}

Json OperationOf(const Route& route) {
  Json operation{{"operationId", route.operation}, {"parameters", ParametersOf(route)}};
  if (route.method == "POST" || route.method == "PUT" || route.method == "PATCH") {
    operation["requestBody"] = {
        {"content", {{"application/json", {{"schema", {{"type", "object"}}}}}}}};
  }
  operation["responses"] = {{"200", AnswerOf("done", "Answer")},
                            {"default", AnswerOf("an error", "Error")}};
  if (route.rule.open()) operation["security"] = Json::array();
  return operation;
}

}  // namespace

void Router::Add(Route route) { routes_.push_back(std::move(route)); }

const Route* Router::Find(Request* request) const {
  for (const auto& route : routes_) {
    // A HEAD is a GET whose body is left out.
    bool method =
        route.method == request->method || (route.method == "GET" && request->method == "HEAD");
    if (method && Matches(route.pattern, request->path, &request->parts, &request->rest))
      return &route;
  }
  return nullptr;
}

Json OpenApiOf(const std::vector<Route>& routes) {
  auto paths = Json::object();
  for (const auto& route : routes)
    paths[PublishedPattern(route.pattern)][catalog::Lower(route.method)] = OperationOf(route);
  Json error{{"type", "object"},
             {"required", {"error_code", "message"}},
             {"properties",
              {{"error_code", {{"type", "string"}}},
               {"message", {{"type", "string"}}},
               {"details", {{"type", "array"}, {"items", {{"type", "object"}}}}}}}};
  return {{"openapi", "3.0.3"},
          {"info", {{"title", "Freshet"}, {"version", FRESHET_VERSION}}},
          {"security", Json::array({{{"token", Json::array()}}})},
          {"paths", paths},
          {"components",
           {{"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}},
            {"schemas", {{"Answer", {{"type", "object"}}}, {"Error", error}}}}}};
}

}  // namespace freshet::api
