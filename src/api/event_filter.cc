// SPDX-License-Identifier: Apache-2.0
#include "api/event_filter.h"

#include <algorithm>
#include <array>

#include "catalog/names.h"

namespace freshet::api {
namespace {

constexpr std::array<std::string_view, 5> kFields{"level", "event_type", "update_id", "id",
                                                  "timestamp"};
/// More would only be longer than any client's.
constexpr size_t kConditionsMax = 32;

/// Cuts a filter into words, quoted texts (their quotes doubled within them) and signs.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool AtEnd() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ == text_.size();
  }
  /// Empty: there is none here.
  std::string Word() {
    if (AtEnd()) return "";
    auto end = at_;
    while (end < text_.size() &&
           (std::isalpha(static_cast<unsigned char>(text_[end])) != 0 || text_[end] == '_'))
      ++end;
    auto word = std::string(text_.substr(at_, end - at_));
    at_ = end;
    return word;
  }
  bool Take(std::string_view sign) {
    if (AtEnd() || !text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  bool Quoted(std::string* value) {
    if (!Take("'")) return false;
    for (value->clear(); at_ < text_.size(); ++at_) {
      if (text_[at_] != '\'') {
        *value += text_[at_];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '\'') {
        *value += text_[at_++];
      } else {
        ++at_;
        return true;
      }
    }
    return false;
  }

 private:
  const std::string_view text_;
  size_t at_ = 0;
};

Status Unreadable(std::string_view text, std::string_view why) {
  return Error(ErrorClass::INVALID_ARGUMENT, "filter {}: {}", why, text.substr(0, 200))
      .WithRemedy("For example: level = 'ERROR' AND timestamp > '2026-01-31T00:00:00.000Z'");
}

/// In the one form that events' times have: `2026-01-31T00:00:00.000Z`. False: it is no such time.
bool Normalise(std::string* time) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd";
  if (time->size() < kForm.size()) return false;
  for (size_t i = 0; i < kForm.size(); ++i) {
    bool digit = (*time)[i] >= '0' && (*time)[i] <= '9';
    if (kForm[i] == 'd' ? !digit : (*time)[i] != kForm[i]) return false;
  }
  auto rest = time->substr(kForm.size());
  if (rest.ends_with("Z")) rest.pop_back();
  if (rest.ends_with("+00:00")) rest.resize(rest.size() - std::string_view("+00:00").size());
  bool digits = std::all_of(rest.begin() + (rest.empty() ? 0 : 1), rest.end(),
                            [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || (!rest.empty() && rest[0] != '.')) return false;
  rest = rest.empty() ? "." : rest;
  rest.resize(std::string_view(".000").size(), '0');
  *time = time->substr(0, kForm.size()) + rest + "Z";
  return true;
}

bool ReadValues(Scanner& scanner, pipeline::EventCondition* condition) {
  for (auto operation : {"<=", ">=", "=", "<", ">"}) {
    if (!scanner.Take(operation)) continue;
    condition->operation = operation;
    return scanner.Quoted(&condition->values.emplace_back());
  }
  if (catalog::Lower(scanner.Word()) != "in" || !scanner.Take("(")) return false;
  condition->operation = "in";
  do {
    if (!scanner.Quoted(&condition->values.emplace_back())) return false;
  } while (scanner.Take(","));
  return scanner.Take(")");
}

}  // namespace

Result<std::vector<pipeline::EventCondition>> ParseEventFilter(std::string_view text) {
  std::vector<pipeline::EventCondition> conditions;
  Scanner scanner(text);
  while (!scanner.AtEnd()) {
    if (!conditions.empty() && catalog::Lower(scanner.Word()) != "and")
      return Unreadable(text, "joins conditions by something else than AND");
    pipeline::EventCondition condition{.field = scanner.Word(), .operation = {}, .values = {}};
    if (std::ranges::find(kFields, condition.field) == kFields.end())
      return Unreadable(text, "names a field that events are not filtered by");
    if (!ReadValues(scanner, &condition)) return Unreadable(text, "is not readable");
    bool time = condition.field == "timestamp";
    if (!time && condition.operation != "=" && condition.operation != "in")
      return Unreadable(text, "compares what has no order");
    for (auto& value : condition.values) {
      if (time && !Normalise(&value)) return Unreadable(text, "has a timestamp that is none");
    }
    conditions.push_back(std::move(condition));
    if (conditions.size() > kConditionsMax) return Unreadable(text, "has too many conditions");
  }
  return conditions;
}

Result<std::string> ParseNameFilter(std::string_view text) {
  Scanner scanner(text);
  if (scanner.AtEnd()) return std::string();
  std::string pattern;
  bool good = catalog::Lower(scanner.Word()) == "name" &&
              catalog::Lower(scanner.Word()) == "like" && scanner.Quoted(&pattern) &&
              scanner.AtEnd();
  if (good && !pattern.empty()) return pattern;
  return Error(ErrorClass::INVALID_ARGUMENT, "filter is not readable: {}", text.substr(0, 200))
      .WithRemedy("name LIKE '%part%' is the one that there is.");
}

}  // namespace freshet::api
