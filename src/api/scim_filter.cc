// SPDX-License-Identifier: Apache-2.0
#include "api/scim_filter.h"

#include "api/request.h"
#include "catalog/names.h"

namespace freshet::api {
namespace {

using Condition = catalog::PrincipalCondition;

/// More would only be longer than any client's.
constexpr size_t kConditionsMax = 32;

Status Unreadable(std::string_view text, std::string_view why) {
  return Error(ErrorClass::INVALID_ARGUMENT, "filter {}: {}", why, text.substr(0, 200))
      .WithRemedy(R"(For example: userName eq "ann@example.com" or displayName co "team")");
}

/// Cuts a filter into words and quoted texts.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) { SkipBlanks(); }

  bool AtEnd() const { return at_ == text_.size(); }
  std::string Word() {
    auto end = std::min(text_.find(' ', at_), text_.size());
    auto word = std::string(text_.substr(at_, end - at_));
    at_ = end;
    SkipBlanks();
    return word;
  }
  /// A text in double quotes, a backslash before each of its own; or a bare word.
  bool Value(std::string* value) {
    if (AtEnd()) return false;
    if (text_[at_] != '"') {
      *value = Word();
      return true;
    }
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        bool ended = AtEnd() || text_[at_] == ' ';
        SkipBlanks();
        return ended;
      }
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      *value += text_[at_];
    }
    return false;
  }

 private:
  void SkipBlanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  const std::string_view text_;
  size_t at_ = 0;
};

bool ReadOperation(const std::string& word, Condition::Operation* operation) {
  using Operation = Condition::Operation;
  static const std::map<std::string, Operation> kOperations{{"eq", Operation::kEquals},
                                                            {"ne", Operation::kDiffers},
                                                            {"co", Operation::kContains},
                                                            {"sw", Operation::kBegins}};
  auto found = kOperations.find(catalog::Lower(word));
  if (found == kOperations.end()) return false;
  *operation = found->second;
  return true;
}

}  // namespace

Result<std::vector<std::vector<Condition>>> ParseScimFilter(std::string_view text,
                                                            const ScimFields& fields) {
  std::vector<std::vector<Condition>> any_of;
  Words words(text);
  if (words.AtEnd()) return any_of;
  any_of.emplace_back();
  for (size_t number = 1;; ++number) {
    if (number > kConditionsMax) return Unreadable(text, "has too many conditions");
    auto field = fields.find(catalog::Lower(words.Word()));
    if (field == fields.end()) return Unreadable(text, "names what is not filtered by");
    Condition condition{.field = field->second};
    if (!ReadOperation(words.Word(), &condition.operation))
      return Unreadable(text, "compares by something else than eq, ne, co and sw");
    if (!words.Value(&condition.value)) return Unreadable(text, "is not readable");
    any_of.back().push_back(std::move(condition));
    if (words.AtEnd()) return any_of;
    auto joined = catalog::Lower(words.Word());
    if (joined != "and" && joined != "or")
      return Unreadable(text, "joins conditions by something else than and, or");
    if (joined == "or") any_of.emplace_back();
  }
}

Result<int64_t> ParseMemberPath(std::string_view path) {
  constexpr std::string_view kBegin = "members[", kEnd = "]";
  if (path.starts_with(kBegin) && path.ends_with(kEnd)) {
    auto inner = path.substr(kBegin.size(), path.size() - kBegin.size() - kEnd.size());
    auto read = ParseScimFilter(inner, {{"value", "id"}});
    bool one = read.ok() && read->size() == 1 && read->front().size() == 1 &&
               read->front()[0].operation == Condition::Operation::kEquals;
    if (one) return NumberOf(read->front()[0].value);
  }
  return Error(ErrorClass::INVALID_ARGUMENT, "path is none of a member: '{}'", path)
      .WithRemedy(R"(For example: members[value eq "12"])");
}

}  // namespace freshet::api
