// SPDX-License-Identifier: Apache-2.0
// Source: the OpenAPI Specification, 3.1.0; JSON Schema, 2020-12.
#include "api/openapi.h"

#include <set>

#include "catalog/names.h"

namespace freshet::api {
namespace {

constexpr char kJson[] = "application/json", kBytes[] = "application/octet-stream",
               kForm[] = "application/x-www-form-urlencoded";

/// As OpenAPI writes it.
std::string PublishedPattern(std::string_view pattern) {
  std::string published(pattern);
  if (auto star = published.find("{*"); star != std::string::npos) published.erase(star + 1, 1);
  return published;
}

/// What clients send: an object has the fields that are named and no others, a field that may be
/// left out may be null, a text that may not is not empty.
class Closer {
 public:
  explicit Closer(Json* types) : types_(*types) {}

  void Close(Json* schema) {
    if (auto name = NameOf(*schema); !name.empty()) {
      auto type = types_.find(name);
      if (type != types_.end() && closed_.insert(name).second) Close(&*type);
      return;
    }
    for (const auto* list : {"anyOf", "items", "additionalProperties"}) {
      auto part = schema->find(list);
      if (part == schema->end()) continue;
      if (part->is_array()) {
        for (auto& each : *part) Close(&each);
      } else {
        Close(&*part);
      }
    }
    if (schema->contains("properties")) CloseObject(schema);
  }
  /// Of the type that is named; empty: none is.
  static std::string NameOf(const Json& schema) {
    auto named = schema.find("$ref");
    // A field may be called so too.
    if (named == schema.end() || !named->is_string()) return "";
    return named->get<std::string>().substr(kTypePrefix.size());
  }
  /// Whether an object has to have a field.
  bool Demands(const Json& schema) const {
    auto name = NameOf(schema);
    return (name.empty() ? schema : types_.value(name, schema)).contains("required");
  }
  static void RefuseEmpty(Json* schema) {
    bool text = schema->value("type", Json()) == "string" && !schema->contains("enum") &&
                !schema->contains("format");
    if (text) (*schema)["minLength"] = 1;
  }

 private:
  void CloseObject(Json* object) {
    std::set<std::string> required;
    for (const auto& name : object->value("required", Json::array()))
      required.insert(name.get<std::string>());
    auto& properties = (*object)["properties"];
    for (auto property = properties.begin(); property != properties.end(); ++property) {
      Close(&*property);
      if (required.contains(property.key())) {
        RefuseEmpty(&*property);
      } else {
        AllowNull(&*property);
      }
    }
    if (!object->contains("additionalProperties")) (*object)["additionalProperties"] = false;
  }
  static void AllowNull(Json* schema) {
    constexpr char kNull[] = "null";
    if (schema->contains("$ref")) {
      *schema = Json{{"anyOf", Json::array({*schema, {{"type", kNull}}})}};
    } else if (auto any_of = schema->find("anyOf"); any_of != schema->end()) {
      any_of->push_back({{"type", kNull}});
    } else if (auto type = schema->find("type"); type != schema->end()) {
      *type = Json::array({*type, kNull});
      if (auto texts = schema->find("enum"); texts != schema->end()) texts->push_back(nullptr);
    }
  }

  Json& types_;
  std::set<std::string> closed_;
};

Json ParametersOf(const Route& route, const Described& described) {
  auto parameters = Json::array();
  auto add = [&](std::string_view name, const char* in, bool required, Json schema) {
    if (required) Closer::RefuseEmpty(&schema);
    parameters.push_back(
        {{"name", name}, {"in", in}, {"required", required}, {"schema", std::move(schema)}});
  };
  const Json text{{"type", "string"}};
  for (std::string_view rest = route.pattern;;) {
    auto begin = rest.find('{');
    if (begin == std::string_view::npos) break;
    auto end = rest.find('}', begin);
    auto name = rest.substr(begin + 1, end - begin - 1);
    add(name.starts_with('*') ? name.substr(1) : name, "path", true, text);
    rest.remove_prefix(end + 1);
  }
  for (const auto& each : described.query) add(each.name, "query", each.required, each.schema);
  return parameters;
}

bool IsBytes(const Json& schema) { return schema.value("format", "") == "binary"; }

/// By media type: what is bytes is no JSON.
Json ContentOf(const Json& schema, const char* type = kJson) {
  auto content = Json::object();
  auto json = Json::array();
  for (const auto& each : schema.value("anyOf", Json::array({schema}))) {
    if (IsBytes(each)) {
      content[kBytes] = {{"schema", each}};
    } else {
      json.push_back(each);
    }
  }
  if (json.size() == 1) content[type] = {{"schema", json[0]}};
  if (json.size() > 1) content[type] = {{"schema", {{"anyOf", json}}}};
  return content;
}

Json BodyOf(const Route& route, const Described& described, Closer* closer) {
  auto schema = *described.body;
  closer->Close(&schema);
  auto content = ContentOf(schema, described.form ? kForm : kJson);
  if (route.form) content["multipart/form-data"] = {{"schema", schema}};
  return {{"required", closer->Demands(schema)}, {"content", content}};
}

Json AnswersOf(const Described& described) {
  auto answers = Json::object();
  if (described.answer) {
    answers["200"] = {{"description", "Done."}, {"content", ContentOf(*described.answer)}};
    if (IsBytes(*described.answer)) {
      answers["206"] = answers["200"];
      answers["206"]["description"] = "The range that was asked for.";
    }
  } else {
    answers["204"] = {{"description", "Done."}};
  }
  for (const auto* range : {"4XX", "5XX"})
    answers[range] = {{"$ref", "#/components/responses/Error"}};
  return answers;
}

Json OperationOf(const Route& route, const Described& described, Closer* closer) {
  Json operation{
      {"operationId", route.operation},
      {"tags", Json::array({std::string(route.operation.substr(0, route.operation.find('.')))})},
      {"summary", described.summary},
      {"parameters", ParametersOf(route, described)}};
  if (described.body) operation["requestBody"] = BodyOf(route, described, closer);
  operation["responses"] = AnswersOf(described);
  if (route.rule.open()) operation["security"] = Json::array();
  return operation;
}

/// Whether every type that is named somewhere is there.
Status CheckNames(const Json& json, const Json& types) {
  if (auto name = json.is_object() ? Closer::NameOf(json) : ""; !name.empty()) {
    if (types.contains(name) || !json["$ref"].get<std::string>().starts_with(kTypePrefix))
      return Status::Ok();
    return Error(ErrorClass::INTERNAL, "a description names a type that is not there: {}", name);
  }
  if (!json.is_structured()) return Status::Ok();
  for (const auto& each : json) FRESHET_CHECK_OK(CheckNames(each, types));
  return Status::Ok();
}

}  // namespace

Result<Json> OpenApiOf(const Router& router) {
  const auto& descriptions = router.descriptions();
  auto types = descriptions.types;
  Closer closer(&types);
  auto paths = Json::object();
  auto undone = descriptions.operations;
  for (const auto& route : router.routes()) {
    const auto* described = router.DescribedOf(route);
    if (described == nullptr)
      return Error(ErrorClass::INTERNAL, "a route is not described: {}", route.operation);
    paths[PublishedPattern(route.pattern)][catalog::Lower(route.method)] =
        OperationOf(route, *described, &closer);
    undone.erase(std::string(route.operation));
  }
  if (!undone.empty())
    return Error(ErrorClass::INTERNAL, "a description is of no route: {}", undone.begin()->first);
  types["Error"] = {{"type", "object"},
                    {"properties",
                     {{"error_code", {{"type", "string"}}},
                      {"message", {{"type", "string"}}},
                      {"details", {{"type", "array"}, {"items", {{"type", "object"}}}}}}},
                    {"required", {"error_code", "message"}}};
  Json error{{"description", "Why it was not done."},
             {"content", ContentOf({{"$ref", std::string(kTypePrefix) + "Error"}})}};
  Json document{{"openapi", "3.1.0"},
                {"info", {{"title", "Freshet"}, {"version", FRESHET_VERSION}}},
                {"security", Json::array({{{"token", Json::array()}}})},
                {"paths", std::move(paths)},
                {"components",
                 {{"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}},
                  {"responses", {{"Error", std::move(error)}}},
                  {"schemas", std::move(types)}}}};
  FRESHET_CHECK_OK(CheckNames(document["paths"], document["components"]["schemas"]));
  FRESHET_CHECK_OK(
      CheckNames(document["components"]["schemas"], document["components"]["schemas"]));
  return document;
}

}  // namespace freshet::api
