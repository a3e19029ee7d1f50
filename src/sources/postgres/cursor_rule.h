// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "record/shape.h"

namespace freshet::sources::postgres {

/// How a table that is captured by queries is asked for its changes. What is not given is empty or
/// -1.
struct CursorRule {
  /// In their order; the first one leads.
  std::vector<std::string> cursor_columns;
  /// Instead of the table's primary key.
  std::vector<std::string> primary_keys;
  /// SQL: rows for which it is true are deleted ones.
  std::string deletion_condition;
  /// The least time between two looks for rows that are gone.
  int64_t sweep_seconds = -1;
  /// How far below the mark rows are read again: seconds of a time, else the number itself. Given:
  /// the only guard against late commits, so that an index on the cursor is enough.
  int64_t window = -1;
  /// Which part of a table's rows may be gone at once.
  double sweep_fraction_max = 0.5;
};

/// The rules of one run, from the general to the particular; a value.
class CursorRules {
 public:
  /// `text` is JSON: a list of rules with the API's field names and the `schema` and `table` each
  /// is for, both left out for all. Errors: INVALID_ARGUMENT.
  static Result<CursorRules> Parse(std::string_view text);
  /// What the rules together say of this table: field by field the most particular one.
  CursorRule Of(const record::TableName& table) const;

 private:
  struct Entry {
    std::string schema, table, fields;
  };
  std::vector<Entry> entries_;
};

}  // namespace freshet::sources::postgres
