// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "record/shape.h"

namespace freshet::pipeline {

/// `schema.table` with `*` for any run of characters on either side; names as the source spells
/// them, nothing quoted, case counts. The last dot splits, so a dot in a schema's name needs no
/// quoting. `*` alone is every table. A value.
class TablePattern {
 public:
  /// Errors: INVALID_ARGUMENT (no dot, an empty side).
  static Result<TablePattern> Parse(std::string_view text);
  /// One that matches this table alone, whatever its name is made of.
  static TablePattern Of(record::TableName name);

  bool Matches(const record::TableName& name) const;
  const std::string& text() const { return text_; }
  /// The table that it was made of; null: it was parsed.
  const record::TableName* only() const { return only_ ? &*only_ : nullptr; }

 private:
  std::string text_, schema_, table_;
  std::optional<record::TableName> only_;
};

/// Parse each of them. Errors: INVALID_ARGUMENT.
Result<std::vector<TablePattern>> ParsePatterns(const std::vector<std::string>& texts);

/// Whether one of them matches.
bool AnyMatches(const std::vector<TablePattern>& patterns, const record::TableName& name);
/// Whether one of them is this table alone, without a `*`.
bool AnyNames(const std::vector<TablePattern>& patterns, const record::TableName& name);

/// Whether `*` and literal characters of `pattern` cover all of `text`.
bool MatchesWildcard(std::string_view pattern, std::string_view text);

}  // namespace freshet::pipeline
