// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace freshet::pipeline {

/// How tables are captured by queries, as the specification says it for a table, a schema
/// (`table` empty) or all (`schema` empty too). What is not given is empty.
struct CursorRule {
  std::string schema, table;
  std::vector<std::string> cursor_columns, primary_keys;
  std::string deletion_condition;
  std::optional<int64_t> hard_deletion_seconds, late_commit_window;
  std::optional<double> hard_deletion_max_fraction;

  /// Where the first of its fields stands in the specification, for messages.
  std::string said_at;

  /// Whether it says anything.
  bool given() const;
};

/// Return the rules from the general to the particular, as JSON with the specification's names: a
/// source that captures by queries takes them in this form.
std::string ToJson(const std::vector<CursorRule>& rules);

}  // namespace freshet::pipeline
