// SPDX-License-Identifier: Apache-2.0
#include "pipeline/source_settings.h"

#include "base/json.h"

namespace freshet::pipeline {

using Json = nlohmann::ordered_json;

std::string ParametersToJson(const std::vector<std::pair<std::string, std::string>>& parameters) {
  auto json = Json::object();
  for (const auto& [name, value] : parameters) json[name] = value;
  return JsonText(json);
}

Result<std::vector<std::pair<std::string, std::string>>> ParametersFromJson(std::string_view text) {
  auto json = ParseJson<Json>(text);
  if (!json.is_object())
    return Error(ErrorClass::INVALID_ARGUMENT, "a source's parameters are not readable");
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string())
      return Error(ErrorClass::INVALID_ARGUMENT, "a source's parameter is not a text: {}", name);
    parameters.emplace_back(name, value.get<std::string>());
  }
  return parameters;
}

}  // namespace freshet::pipeline
