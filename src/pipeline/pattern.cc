// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pattern.h"

#include <algorithm>

namespace freshet::pipeline {

Result<TablePattern> TablePattern::Parse(std::string_view text) {
  TablePattern pattern;
  pattern.text_ = text;
  if (text == "*") {
    pattern.schema_ = pattern.table_ = "*";
    return pattern;
  }
  auto dot = text.rfind('.');
  if (dot == std::string_view::npos) {
    return Error(ErrorClass::INVALID_ARGUMENT, "a table pattern is schema.table; no dot in {}",
                 text)
        .WithRemedy(fmt::format("Write it with its schema, such as '*.{}'.", text));
  }
  pattern.schema_ = text.substr(0, dot);
  pattern.table_ = text.substr(dot + 1);
  if (pattern.schema_.empty() || pattern.table_.empty()) {
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "a table pattern is schema.table; a side is empty in {}", text);
  }
  return pattern;
}

TablePattern TablePattern::Of(record::TableName name) {
  TablePattern pattern;
  pattern.text_ = name.ToString();
  pattern.only_ = std::move(name);
  return pattern;
}

bool TablePattern::Matches(const record::TableName& name) const {
  if (only_) return *only_ == name;
  return MatchesWildcard(schema_, name.schema) && MatchesWildcard(table_, name.table);
}

bool MatchesWildcard(std::string_view pattern, std::string_view text) {
  // On a mismatch the last `*` takes one character more: earlier ones never need to be tried again.
  size_t p = 0, t = 0, star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool AnyMatches(const std::vector<TablePattern>& patterns, const record::TableName& name) {
  return std::ranges::any_of(patterns,
                             [&](const TablePattern& pattern) { return pattern.Matches(name); });
}

bool AnyNames(const std::vector<TablePattern>& patterns, const record::TableName& name) {
  return std::ranges::any_of(patterns, [&](const TablePattern& pattern) {
    const bool single = pattern.only() != nullptr || pattern.text().find('*') == std::string::npos;
    return single && pattern.Matches(name);
  });
}

Result<std::vector<TablePattern>> ParsePatterns(const std::vector<std::string>& texts) {
  std::vector<TablePattern> patterns;
  for (const auto& text : texts) {
    FRESHET_TRY(auto pattern, TablePattern::Parse(text));
    patterns.push_back(std::move(pattern));
  }
  return patterns;
}

}  // namespace freshet::pipeline
