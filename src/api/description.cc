// SPDX-License-Identifier: Apache-2.0
#include "api/description.h"

#include <cctype>
#include <cstdint>
#include <limits>

namespace freshet::api {
namespace {

/// The types without parts.
const std::map<std::string, Json, std::less<>>& Words() {
  constexpr auto kMin = std::numeric_limits<int64_t>::min(),
                 kMax = std::numeric_limits<int64_t>::max();
  auto whole = [](int64_t from, int64_t to) {
    return Json::object({{"type", "integer"}, {"minimum", from}, {"maximum", to}});
  };
  auto nothing = Json::array({nullptr, Json::object(), Json::array()});
  static const std::map<std::string, Json, std::less<>> kWords{
      {"text", Json::object({{"type", "string"}})},
      {"count", whole(0, kMax)},
      {"number", whole(kMin, kMax)},
      {"real", Json::object({{"type", "number"}})},
      {"flag", Json::object({{"type", "boolean"}})},
      {"moment", Json::object({{"type", "string"}, {"format", "date-time"}})},
      {"bytes", Json::object({{"type", "string"}, {"format", "binary"}})},
      {"any", Json::object()},
      {"unbuilt", Json::object({{"description", "not supported yet"}, {"enum", nothing}})}};
  return kWords;
}

/// Takes a description apart, from its beginning to its end or to what it cannot read.
class Reader {
 public:
  Reader(std::string_view text, Descriptions* descriptions)
      : text_(text), descriptions_(*descriptions) {}

  Status Read() {
    for (Skip(); at_ < text_.size() && !failed_; Skip()) ReadOne();
    if (!failed_) return Status::Ok();
    constexpr size_t kShown = 60;
    return Error(ErrorClass::INTERNAL, "a description is not readable before: {}",
                 text_.substr(std::min(at_, text_.size()), kShown));
  }

 private:
  void Fail() { failed_ = true; }
  void Expect(std::string_view sign) {
    if (!Take(sign)) Fail();
  }
  void Skip() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
        ++at_;
      } else {
        return;
      }
    }
  }
  bool Take(std::string_view sign) {
    Skip();
    if (failed_ || !text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  /// Empty: there is none here.
  std::string Word() {
    Skip();
    auto end = at_;
    auto belongs = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
             std::string_view("_$@.").find(c) != std::string_view::npos;
    };
    while (end < text_.size() && belongs(text_[end])) ++end;
    std::string word(text_.substr(at_, end - at_));
    at_ = end;
    return word;
  }
  std::string Until(char end) {
    auto found = text_.find(end, at_);
    if (found == std::string_view::npos) Fail();
    std::string taken(text_.substr(at_, found - at_));
    at_ = failed_ ? at_ : found + 1;
    return taken;
  }

  void ReadOne() {
    auto name = Word();
    if (name.empty()) return Fail();
    if (Take("=")) {
      auto type = Type();
      if (!descriptions_.types.emplace(name, std::move(type)).second) Fail();
    } else if (Take("(")) {
      auto operation = Operation();
      if (!descriptions_.operations.emplace(name, std::move(operation)).second) Fail();
    } else {
      Fail();
    }
  }

  Described Operation() {
    Described operation;
    while (!failed_ && !Take(")")) {
      TakeParameter(&operation);
      Take(",");
    }
    Expect(":");
    auto before = at_;
    if (Word() != "nothing") {
      at_ = before;
      operation.answer = Type();
    }
    Expect("--");
    Skip();
    operation.summary = Until('\n');
    return operation;
  }

  void TakeParameter(Described* operation) {
    auto before = at_;
    auto name = Word();
    bool optional = Take("?");
    if (Take(":")) {
      auto type = Type();
      operation->query.push_back({name, !optional, std::move(type)});
      return;
    }
    operation->form = name == "form";
    if (!operation->form) at_ = before;
    operation->body = Type();
  }

  Json Type() {
    auto type = Term();
    if (!Take("|")) return type;
    auto alternatives = Json::array({std::move(type)});
    bool texts = alternatives[0].contains("enum");
    do {
      alternatives.push_back(Term());
      texts &= alternatives.back().contains("enum");
    } while (Take("|"));
    if (!texts) return Json{{"anyOf", std::move(alternatives)}};
    Json one{{"type", "string"}, {"enum", Json::array()}};
    for (const auto& each : alternatives) one["enum"].push_back(each["enum"][0]);
    return one;
  }

  Json Term() {
    if (failed_) return {};
    if (Take("\"")) return Json{{"type", "string"}, {"enum", Json::array({Until('"')})}};
    if (Take("[")) {
      Json list{{"type", "array"}, {"items", Type()}};
      Expect("]");
      return list;
    }
    if (Take("{")) return Object();
    auto word = Word();
    if (auto found = Words().find(word); found != Words().end()) return found->second;
    // Types have names with a capital; they may be said later.
    if (word.empty() || std::isupper(static_cast<unsigned char>(word[0])) == 0) Fail();
    return Json{{"$ref", std::string(kTypePrefix) + word}};
  }

  Json Object() {
    Json object{{"type", "object"}, {"properties", Json::object()}};
    auto required = Json::array();
    while (!failed_ && !Take("}")) {
      if (Take("...")) {
        auto other = descriptions_.types.find(Word());
        if (other == descriptions_.types.end() || !other->contains("properties")) {
          Fail();
          break;
        }
        object["properties"].update(other->at("properties"));
        for (const auto& name : other->value("required", Json::array())) required.push_back(name);
      } else if (Take("*")) {
        Expect(":");
        object["additionalProperties"] = Type();
      } else {
        auto name = Word();
        if (!Take("?")) required.push_back(name);
        Expect(":");
        object["properties"][name] = Type();
      }
      Take(",");
    }
    if (!required.empty()) object["required"] = std::move(required);
    return object;
  }

  const std::string_view text_;
  Descriptions& descriptions_;
  size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace

Status ReadDescription(std::string_view text, Descriptions* descriptions) {
  return Reader(text, descriptions).Read();
}

}  // namespace freshet::api
