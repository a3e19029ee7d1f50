// SPDX-License-Identifier: Apache-2.0
#include "pipeline/table_rules.h"

#include <algorithm>
#include <array>

#include "base/json.h"

namespace freshet::pipeline {
namespace {

using capture::OnSchemaChange;
using Json = nlohmann::json;

constexpr std::array<std::pair<std::string_view, OnSchemaChange>, 3> kNames{
    {{"evolve", OnSchemaChange::kEvolve},
     {"pause", OnSchemaChange::kPause},
     {"ignore", OnSchemaChange::kIgnore}}};

std::string_view NameOf(OnSchemaChange value) {
  for (const auto& [name, each] : kNames) {
    if (each == value) return name;
  }
  return kNames[0].first;
}

int Level(const TableRule& rule) {
  return static_cast<int>(!rule.schema.empty()) + static_cast<int>(!rule.table.empty());
}

std::vector<TableRule> Ordered(std::vector<TableRule> rules) {
  std::ranges::stable_sort(rules, {}, Level);
  return rules;
}

Json ColumnsToJson(const TableRule& rule) {
  Json json = Json::object();
  if (!rule.schema.empty()) json["schema"] = rule.schema;
  if (!rule.table.empty()) json["table"] = rule.table;
  if (!rule.include_columns.empty()) json["include_columns"] = rule.include_columns;
  if (!rule.exclude_columns.empty()) json["exclude_columns"] = rule.exclude_columns;
  return json;
}

std::string Dump(const Json& json) { return JsonText(json); }

Result<TableRule> FromJson(const Json& json) {
  TableRule rule;
  rule.schema = json.value("schema", "");
  rule.table = json.value("table", "");
  rule.include_columns = json.value("include_columns", rule.include_columns);
  rule.exclude_columns = json.value("exclude_columns", rule.exclude_columns);
  rule.properties = json.value("properties", rule.properties);
  if (json.contains("on_schema_change")) {
    FRESHET_TRY(rule.on_schema_change,
                ParseOnSchemaChange(json.at("on_schema_change").get<std::string>()));
  }
  if (json.contains("refresh")) {
    const auto& refresh = json.at("refresh");
    rule.refresh = {.enabled = refresh.at("enabled"),
                    .min_interval_hours = refresh.at("min_interval_hours")};
  }
  if (json.contains("drop_inactive_columns"))
    rule.drop_inactive_columns = json.at("drop_inactive_columns").get<bool>();
  return rule;
}

}  // namespace

Result<OnSchemaChange> ParseOnSchemaChange(std::string_view text) {
  for (const auto& [name, value] : kNames) {
    if (name == text) return value;
  }
  return Error(ErrorClass::INVALID_ARGUMENT, "is none of evolve, pause, ignore: {}", text);
}

TableRule RuleOf(const std::vector<TableRule>& rules, const record::TableName& table) {
  TableRule merged;
  merged.schema = table.schema;
  merged.table = table.table;
  for (const auto& rule : Ordered(rules)) {
    if (!rule.schema.empty() && rule.schema != table.schema) continue;
    if (!rule.table.empty() && rule.table != table.table) continue;
    if (rule.on_schema_change) merged.on_schema_change = rule.on_schema_change;
    if (rule.refresh) merged.refresh = rule.refresh;
    if (rule.drop_inactive_columns) merged.drop_inactive_columns = rule.drop_inactive_columns;
    for (const auto& [name, value] : rule.properties) merged.properties[name] = value;
    if (!rule.selects_columns()) continue;
    merged.include_columns = rule.include_columns;
    merged.exclude_columns = rule.exclude_columns;
  }
  return merged;
}

std::optional<std::chrono::hours> RefreshInterval(const TableRule& rule) {
  if (!rule.refresh || !rule.refresh->enabled) return std::nullopt;
  return std::chrono::hours(rule.refresh->min_interval_hours);
}

std::string ToJson(const std::vector<TableRule>& rules) {
  Json list = Json::array();
  for (const auto& rule : Ordered(rules)) {
    Json json = ColumnsToJson(rule);
    if (!rule.properties.empty()) json["properties"] = rule.properties;
    if (rule.on_schema_change) json["on_schema_change"] = NameOf(*rule.on_schema_change);
    if (rule.refresh) {
      json["refresh"] = {{"enabled", rule.refresh->enabled},
                         {"min_interval_hours", rule.refresh->min_interval_hours}};
    }
    if (rule.drop_inactive_columns) json["drop_inactive_columns"] = *rule.drop_inactive_columns;
    list.push_back(std::move(json));
  }
  return Dump(list);
}

Result<std::vector<TableRule>> TableRulesFromJson(std::string_view text) {
  std::vector<TableRule> rules;
  try {
    for (const auto& json : ParseJsonOrThrow<Json>(text)) {
      FRESHET_TRY(auto rule, FromJson(json));
      rules.push_back(std::move(rule));
    }
  } catch (const std::exception& error) {
    return Error(ErrorClass::INVALID_ARGUMENT, "the rules of tables are not readable: {}",
                 error.what());
  }
  return rules;
}

std::string ColumnRulesJson(const std::vector<TableRule>& rules) {
  Json list = Json::array();
  for (const auto& rule : Ordered(rules)) {
    if (rule.selects_columns()) list.push_back(ColumnsToJson(rule));
  }
  return list.empty() ? std::string() : Dump(list);
}

}  // namespace freshet::pipeline
