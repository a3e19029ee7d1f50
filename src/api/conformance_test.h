// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "api/description.h"
#include "api/request.h"
#include "catalog/names.h"

namespace freshet::api {

/// Compares requests and answers with the API's document, of which it knows as much as that uses.
/// Stricter than that is to clients: an answer has no field that it does not say.
class Conformance {
 public:
  explicit Conformance(Json document) : document_(std::move(document)) {}

  const Json& document() const { return document_; }
  /// Return the type that a schema names, else itself.
  const Json& Resolved(const Json& schema) const {
    auto named = schema.find("$ref");
    if (named == schema.end() || !named->is_string()) return schema;
    auto name = named->get<std::string>().substr(kTypePrefix.size());
    return document_["components"]["schemas"].at(name);
  }
  /// Return what of a request that was done, or of its answer, is not as the document says; empty:
  /// nothing.
  std::string BreachOf(const std::string& method, const std::string& target,
                       const std::string& body, const Response& response) const {
    const auto* operation = OperationOf(method, target);
    if (operation == nullptr) return "";
    if (response.status >= 400)
      return Check(document_["components"]["schemas"]["Error"], ParseJson<Json>(response.body),
                   "error", false);
    const auto& answers = operation->at("responses");
    auto answer = answers.find(std::to_string(response.status));
    if (answer == answers.end()) return "a status that is not described";
    if (auto taken = operation->find("requestBody"); taken != operation->end() && !body.empty()) {
      auto json = taken->at("content").find(kJson);
      if (json != taken->at("content").end()) {
        auto breach = Check(json->at("schema"), ParseJson<Json>(body), "request", false);
        if (!breach.empty()) return breach;
      }
    }
    if (!answer->contains("content")) return response.body.empty() ? "" : "an answer with a body";
    const auto& content = answer->at("content");
    auto found = content.find(response.content_type);
    if (found == content.end()) return "a content type that is not described";
    if (response.content_type != kJson) return "";
    return Check(found->at("schema"), ParseJson<Json>(response.body), "answer", true);
  }

 private:
  static constexpr char kJson[] = "application/json";

  static std::vector<std::string> PartsOf(std::string_view path) {
    std::vector<std::string> parts;
    while (!path.empty()) {
      auto end = std::min(path.find('/'), path.size());
      if (end > 0) parts.emplace_back(path.substr(0, end));
      path.remove_prefix(std::min(end + 1, path.size()));
    }
    return parts;
  }
  const Json* OperationOf(const std::string& method, const std::string& target) const {
    auto path = PartsOf(std::string_view(target).substr(0, target.find('?')));
    auto verb = catalog::Lower(method);
    for (const auto& [pattern, operations] : document_["paths"].items()) {
      auto parts = PartsOf(pattern);
      // Of the names of all parts, this one is of those that stand for several.
      bool open = parts.back() == "{path}";
      if (open ? parts.size() > path.size() : parts.size() != path.size()) continue;
      auto same = [](const std::string& part, const std::string& given) {
        return part.starts_with('{') || part == given;
      };
      if (!std::equal(parts.begin(), parts.end(), path.begin(), same)) continue;
      auto found = operations.find(verb);
      if (found != operations.end()) return &*found;
    }
    return nullptr;
  }

  static bool IsOf(const Json& value, const std::string& type) {
    if (type == "null") return value.is_null();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    return type == "array" ? value.is_array() : value.is_object();
  }
  /// `closed`: an object has no fields but those that are named.
  std::string Check(const Json& named, const Json& value, const std::string& place,
                    bool closed) const {
    const auto& schema = Resolved(named);
    if (auto any = schema.find("anyOf"); any != schema.end()) {
      auto fits = [&](const Json& each) { return Check(each, value, place, closed).empty(); };
      return std::ranges::any_of(*any, fits) ? "" : place + " is none of what it may be";
    }
    if (auto values = schema.find("enum"); values != schema.end()) {
      bool known = std::ranges::find(*values, value) != values->end();
      return known ? "" : place + " is none of its values: " + JsonText(value);
    }
    auto types = schema.value("type", Json::array());
    if (types.is_string()) types = Json::array({types});
    auto fits = [&](const Json& type) { return IsOf(value, type.get<std::string>()); };
    if (!types.empty() && std::ranges::none_of(types, fits))
      return place + " is of another type: " + JsonText(value);
    if (value.is_string() && value == "" && schema.contains("minLength"))
      return place + " is empty";
    if (value.is_array() && schema.contains("items")) {
      for (const auto& each : value) {
        auto breach = Check(schema["items"], each, place + "[]", closed);
        if (!breach.empty()) return breach;
      }
    }
    return value.is_object() ? CheckFields(schema, value, place, closed) : "";
  }
  std::string CheckFields(const Json& schema, const Json& value, const std::string& place,
                          bool closed) const {
    for (const auto& name : schema.value("required", Json::array())) {
      if (!value.contains(name.get<std::string>())) return place + " has no " + JsonText(name);
    }
    auto properties = schema.value("properties", Json::object());
    auto others = schema.value("additionalProperties", Json(!closed || !schema.contains("type")));
    for (const auto& [name, each] : value.items()) {
      auto property = properties.find(name);
      if (property == properties.end() && others == false)
        return place + " has a field that is not described: " + name;
      if (property == properties.end() && !others.is_object()) continue;
      auto breach = Check(property == properties.end() ? others : *property, each,
                          place + "." + name, closed);
      if (!breach.empty()) return breach;
    }
    return "";
  }

  const Json document_;
};

}  // namespace freshet::api
