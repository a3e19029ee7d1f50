// SPDX-License-Identifier: Apache-2.0
#include "pipeline/cursor_rules.h"

#include <algorithm>

#include "base/json.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;

int Level(const CursorRule& rule) {
  return static_cast<int>(!rule.schema.empty()) + static_cast<int>(!rule.table.empty());
}

}  // namespace

bool CursorRule::given() const {
  return !cursor_columns.empty() || !primary_keys.empty() || !deletion_condition.empty() ||
         hard_deletion_seconds || late_commit_window || hard_deletion_max_fraction;
}

std::string ToJson(const std::vector<CursorRule>& rules) {
  auto ordered = rules;
  std::ranges::stable_sort(ordered, {}, Level);
  auto list = Json::array();
  for (const auto& rule : ordered) {
    auto json = Json::object();
    if (!rule.schema.empty()) json["schema"] = rule.schema;
    if (!rule.table.empty()) json["table"] = rule.table;
    if (!rule.cursor_columns.empty()) json["cursor_columns"] = rule.cursor_columns;
    if (!rule.primary_keys.empty()) json["primary_keys"] = rule.primary_keys;
    if (!rule.deletion_condition.empty()) json["deletion_condition"] = rule.deletion_condition;
    if (rule.hard_deletion_seconds)
      json["hard_deletion_sync_min_interval_in_seconds"] = *rule.hard_deletion_seconds;
    if (rule.late_commit_window) json["late_commit_window"] = *rule.late_commit_window;
    if (rule.hard_deletion_max_fraction)
      json["hard_deletion_max_fraction"] = *rule.hard_deletion_max_fraction;
    list.push_back(std::move(json));
  }
  return JsonText(list);
}

}  // namespace freshet::pipeline
