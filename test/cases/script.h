// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/values.h"

namespace freshet::cases {

/// One word of a line; quoted words keep their spaces and are never null, `?` or a keyword.
struct Word {
  std::string text;
  bool quoted = false;
};
struct Line {
  int number = 0;
  std::string text;
  std::vector<Word> words;
};
/// A line at the left margin and the indented ones under it.
struct Statement {
  Line head;
  std::vector<Line> rows;
};
/// Split a case file. Source: test/cases/README.md. Errors: INVALID_ARGUMENT.
Result<std::vector<Statement>> Parse(std::string_view text);

/// Read the words of a statement from left to right.
class Words {
 public:
  explicit Words(const Line& line) : line_(line) {}
  bool done() const { return next_ == line_.words.size(); }
  /// Take the next word if it is this keyword.
  bool Take(std::string_view keyword);
  /// Take the next word whatever it is. Errors: INVALID_ARGUMENT at the end.
  Result<std::string> Any(std::string_view what);
  /// Take a number, with or without '@'.
  Result<int64_t> Number(std::string_view what);
  /// Take the next word unless it is one of the language's keywords: a name that may be left out.
  std::optional<std::string> Name();
  /// Take `@n` at the very end of the line, if there.
  std::optional<int64_t> Position();
  /// The words up to `->` or the end, as cells.
  model::Row Cells();
  Status Done() const;

 private:
  const Line& line_;
  size_t next_ = 0;
};

}  // namespace freshet::cases
