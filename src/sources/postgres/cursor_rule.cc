// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/cursor_rule.h"

#include "base/json.h"

namespace freshet::sources::postgres {
namespace {

using Json = nlohmann::json;

CursorRule ReadRule(const Json& json) {
  CursorRule rule;
  rule.cursor_columns = json.value("cursor_columns", rule.cursor_columns);
  rule.primary_keys = json.value("primary_keys", rule.primary_keys);
  rule.deletion_condition = json.value("deletion_condition", rule.deletion_condition);
  rule.sweep_seconds = json.value("hard_deletion_sync_min_interval_in_seconds", rule.sweep_seconds);
  rule.window = json.value("late_commit_window", rule.window);
  rule.sweep_fraction_max = json.value("hard_deletion_max_fraction", rule.sweep_fraction_max);
  return rule;
}

}  // namespace

Result<CursorRules> CursorRules::Parse(std::string_view text) {
  CursorRules rules;
  try {
    for (const auto& json : ParseJsonOrThrow<Json>(text)) {
      ReadRule(json);
      rules.entries_.push_back({json.value("schema", std::string()),
                                json.value("table", std::string()), JsonText(json)});
    }
  } catch (const std::exception& error) {
    return Error(ErrorClass::INVALID_ARGUMENT, "the rules of cursor columns are not readable: {}",
                 error.what());
  }
  return rules;
}

CursorRule CursorRules::Of(const record::TableName& table) const {
  Json merged = Json::object();
  for (const auto& entry : entries_) {
    if (!entry.schema.empty() && entry.schema != table.schema) continue;
    if (!entry.table.empty() && entry.table != table.table) continue;
    merged.merge_patch(ParseJsonOrThrow<Json>(entry.fields));
  }
  return ReadRule(merged);
}

}  // namespace freshet::sources::postgres
