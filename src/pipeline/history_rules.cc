// SPDX-License-Identifier: Apache-2.0
#include "pipeline/history_rules.h"

#include "base/json.h"

namespace freshet::pipeline {
namespace {

bool Applies(const HistoryRule& rule, const record::TableName& name, int level) {
  if (level != static_cast<int>(!rule.schema.empty()) + static_cast<int>(!rule.table.empty()))
    return false;
  return (rule.schema.empty() || rule.schema == name.schema) &&
         (rule.table.empty() || rule.table == name.table);
}

}  // namespace

apply::HistoryRules HistoryOf(const std::vector<HistoryRule>& rules,
                              const record::TableName& name) {
  apply::HistoryRules history;
  for (int level = 0; level <= 2; ++level) {
    for (const auto& rule : rules) {
      if (!Applies(rule, name, level)) continue;
      history.scd_type = rule.scd_type.value_or(history.scd_type);
      if (rule.sequence_by) history.sequence_by = *rule.sequence_by;
      history.soft_delete = rule.soft_delete.value_or(history.soft_delete);
    }
  }
  if (history.scd_type != apply::ScdType::kType1) history.soft_delete = false;
  if (history.scd_type == apply::ScdType::kAppendOnly) history.sequence_by.clear();
  return history;
}

nlohmann::json ToJson(const HistoryRule& rule) {
  nlohmann::json json{{"schema", rule.schema}, {"table", rule.table}};
  if (rule.scd_type) json["scd_type"] = apply::NameOf(*rule.scd_type);
  if (rule.sequence_by) json["sequence_by"] = *rule.sequence_by;
  if (rule.soft_delete) json["soft_delete"] = *rule.soft_delete;
  return json;
}

HistoryRule HistoryRuleFrom(const nlohmann::json& json) {
  HistoryRule rule{.schema = json.at("schema"), .table = json.at("table")};
  if (json.contains("scd_type"))
    rule.scd_type = apply::ScdTypeOf(json.at("scd_type").get<std::string>());
  if (json.contains("sequence_by"))
    rule.sequence_by = json.at("sequence_by").get<std::vector<std::string>>();
  if (json.contains("soft_delete")) rule.soft_delete = json.at("soft_delete").get<bool>();
  return rule;
}

}  // namespace freshet::pipeline
