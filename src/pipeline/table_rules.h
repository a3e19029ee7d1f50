// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "capture/policies.h"
#include "record/shape.h"

namespace freshet::pipeline {

/// What is said of tables whose source changes, for a table, a schema (`table` empty) or all
/// (`schema` empty too). What is not given is empty.
struct TableRule {
  /// The API's auto_full_refresh_policy.
  struct RefreshPolicy {
    bool enabled = false;
    int64_t min_interval_hours = 24;
    bool operator==(const RefreshPolicy&) const = default;
  };
  std::string schema, table;
  std::optional<capture::OnSchemaChange> on_schema_change;
  std::optional<RefreshPolicy> refresh;
  std::optional<bool> drop_inactive_columns;
  /// At most one of the two; together they are one field.
  std::vector<std::string> include_columns, exclude_columns;
  /// Of the Delta table; of several rules for a table all count, each name as the most particular
  /// says.
  std::map<std::string, std::string> properties;

  bool selects_columns() const { return !include_columns.empty() || !exclude_columns.empty(); }
  /// Whether it says anything.
  bool given() const {
    return on_schema_change || refresh || drop_inactive_columns || selects_columns() ||
           !properties.empty();
  }
  bool operator==(const TableRule&) const = default;
};

/// Errors: INVALID_ARGUMENT.
Result<capture::OnSchemaChange> ParseOnSchemaChange(std::string_view text);

/// Return what the rules together say of a table: field by field the most particular one.
TableRule RuleOf(const std::vector<TableRule>& rules, const record::TableName& table);

/// How long after its last snapshot a table that lost changes is read again by itself; nothing: it
/// is not.
std::optional<std::chrono::hours> RefreshInterval(const TableRule& rule);

/// Return the rules from the general to the particular, as JSON.
std::string ToJson(const std::vector<TableRule>& rules);
/// Errors: INVALID_ARGUMENT.
Result<std::vector<TableRule>> TableRulesFromJson(std::string_view text);

/// Return the columns' part of the rules, as a source takes it; empty: all columns of all tables.
std::string ColumnRulesJson(const std::vector<TableRule>& rules);

}  // namespace freshet::pipeline
