// SPDX-License-Identifier: Apache-2.0
#include "cases/script.h"

#include <array>
#include <charconv>

namespace freshet::cases {
namespace {

constexpr std::array<std::string_view, 12> kKeywords{"fails",  "commits", "reads",   "crash",
                                                     "at",     "in",      "of",      "chunk",
                                                     "before", "after",   "columns", "as"};

Result<std::vector<Word>> Split(std::string_view text, int number) {
  std::vector<Word> words;
  size_t at = 0;
  while ((at = text.find_first_not_of(' ', at)) != text.npos) {
    size_t end;
    if (text[at] == '\'') {
      end = text.find('\'', at + 1);
      if (end == text.npos)
        return Error(ErrorClass::INVALID_ARGUMENT, "quote is open in line {}", number);
      words.push_back({std::string(text.substr(at + 1, end - at - 1)), true});
      at = end + 1;
      continue;
    }
    end = std::min(text.find(' ', at), text.size());
    words.push_back({std::string(text.substr(at, end - at)), false});
    at = end;
  }
  return words;
}

}  // namespace

Result<std::vector<Statement>> Parse(std::string_view text) {
  std::vector<Statement> statements;
  int number = 0;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    line = line.substr(0, line.find_last_not_of(' ') + 1);
    if (line.empty() || line.front() == '#') continue;
    FRESHET_TRY(auto words, Split(line, number));
    Line parsed{.number = number, .text = std::string(line), .words = std::move(words)};
    if (line.front() != ' ') {
      statements.push_back({std::move(parsed), {}});
    } else if (!statements.empty()) {
      statements.back().rows.push_back(std::move(parsed));
    } else {
      return Error(ErrorClass::INVALID_ARGUMENT, "row before any statement in line {}", number);
    }
  }
  return statements;
}

bool Words::Take(std::string_view keyword) {
  if (done() || line_.words[next_].quoted || line_.words[next_].text != keyword) return false;
  ++next_;
  return true;
}

Result<std::string> Words::Any(std::string_view what) {
  if (done()) return Error(ErrorClass::INVALID_ARGUMENT, "missing: {}", what);
  return line_.words[next_++].text;
}

Result<int64_t> Words::Number(std::string_view what) {
  FRESHET_TRY(auto word, Any(what));
  if (word.starts_with('@')) word.erase(0, 1);
  int64_t number = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size()) {
    return Error(ErrorClass::INVALID_ARGUMENT, "no number: {}", word);
  }
  return number;
}

std::optional<std::string> Words::Name() {
  if (done() || line_.words[next_].text.starts_with('@')) return std::nullopt;
  for (std::string_view keyword : kKeywords) {
    if (line_.words[next_].text == keyword) return std::nullopt;
  }
  return line_.words[next_++].text;
}

std::optional<int64_t> Words::Position() {
  if (done() || line_.words.back().quoted || !line_.words.back().text.starts_with('@'))
    return std::nullopt;
  return std::stoll(line_.words.back().text.substr(1));
}

model::Row Words::Cells() {
  model::Row row;
  while (!done()) {
    const Word& word = line_.words[next_];
    if (!word.quoted && (word.text == "->" || word.text.starts_with('@'))) break;
    ++next_;
    if (!word.quoted && word.text == "null") {
      row.push_back(model::Cell::Null());
    } else if (!word.quoted && word.text == "?") {
      row.push_back(model::Cell::Unsent());
    } else {
      row.push_back(model::Cell::Of(word.text));
    }
  }
  return row;
}

Status Words::Done() const {
  if (done()) return Status::Ok();
  return Error(ErrorClass::INVALID_ARGUMENT, "not understood: {}", line_.words[next_].text);
}

}  // namespace freshet::cases
