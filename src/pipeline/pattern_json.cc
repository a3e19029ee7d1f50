// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pattern_json.h"

namespace freshet::pipeline {

using Json = nlohmann::json;

Json PatternsToJson(const std::vector<TablePattern>& patterns) {
  Json list = Json::array();
  for (const auto& pattern : patterns) {
    const auto* only = pattern.only();
    list.push_back(only != nullptr ? Json::array({only->schema, only->table})
                                   : Json(pattern.text()));
  }
  return list;
}

Result<std::vector<TablePattern>> PatternsFromJson(const Json& json) {
  std::vector<TablePattern> patterns;
  for (const auto& each : json) {
    if (each.is_array()) {
      patterns.push_back(
          TablePattern::Of({each.at(0).get<std::string>(), each.at(1).get<std::string>()}));
      continue;
    }
    FRESHET_TRY(auto pattern, TablePattern::Parse(each.get<std::string>()));
    patterns.push_back(std::move(pattern));
  }
  return patterns;
}

}  // namespace freshet::pipeline
