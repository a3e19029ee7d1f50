// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apply/history_form.h"
#include "record/shape.h"

namespace freshet::pipeline {

/// What tables keep of their rows' past, as it is said for a table, a schema (`table` empty) or all
/// (`schema` empty too). What is not given is empty.
struct HistoryRule {
  std::string schema, table;
  std::optional<apply::ScdType> scd_type = {};
  std::optional<std::vector<std::string>> sequence_by = {};
  std::optional<bool> soft_delete = {};

  /// Whether it says anything.
  bool given() const { return scd_type || sequence_by || soft_delete; }
};

/// What the rules say of a table, field by field: the table's come before its schema's, those
/// before the ones for all, and of two for the same the later. What a mode has no use for is left
/// out: soft_delete is SCD_TYPE_1's, APPEND_ONLY has no order.
apply::HistoryRules HistoryOf(const std::vector<HistoryRule>& rules, const record::TableName& name);

nlohmann::json ToJson(const HistoryRule& rule);
/// Throws what nlohmann throws.
HistoryRule HistoryRuleFrom(const nlohmann::json& json);

}  // namespace freshet::pipeline
