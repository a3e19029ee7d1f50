// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "record/shape.h"

namespace freshet::sources::postgres {

/// Which columns of tables are ingested; of a run, and a value. Without a rule: all.
class ColumnSelection {
 public:
  /// `text` is JSON: a list of rules from the general to the particular with `include_columns` or
  /// `exclude_columns` and the `schema` and `table` each is for, both left out for all. The most
  /// particular rule holds. Empty: no rules. Errors: INVALID_ARGUMENT.
  static Result<ColumnSelection> Parse(std::string_view text);

  /// Names are compared as they are spelled.
  bool Selects(const record::TableName& table, const std::string& column) const;

 private:
  struct Rule {
    std::string schema, table;
    std::vector<std::string> include, exclude;
  };
  std::vector<Rule> rules_;
};

}  // namespace freshet::sources::postgres
