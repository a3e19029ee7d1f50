// SPDX-License-Identifier: Apache-2.0
#include "api/json.h"

#include <algorithm>

#include "base/server_limits.h"

namespace freshet::api {
namespace {

/// Keys of one object: they are looked up one after the other.
constexpr int kKeysMax = 10'000;

struct Extent {
  int depth = 0;  // of objects and lists within each other
  int keys = 0;   // of one object
};

/// How large it is at most; what is no JSON may give any numbers.
Extent ExtentOf(std::string_view text) {
  Extent most;
  std::vector<int> keys;  // of the objects and lists that are open
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      keys.push_back(0);
      most.depth = std::max(most.depth, static_cast<int>(keys.size()));
    } else if ((c == '}' || c == ']') && !keys.empty()) {
      keys.pop_back();
    } else if (c == ':' && !keys.empty()) {
      most.keys = std::max(most.keys, ++keys.back());
    }
  }
  return most;
}

}  // namespace

Result<Json> ParseBody(std::string_view text) {
  if (text.empty()) return Json::object();
  auto extent = ExtentOf(text);
  if (extent.depth > limits::kJsonDepthMax) {
    return Error(ErrorClass::INVALID_ARGUMENT, "the body is nested more than {} levels deep",
                 limits::kJsonDepthMax);
  }
  if (extent.keys > kKeysMax)
    return Error(ErrorClass::INVALID_ARGUMENT, "an object has more than {} keys", kKeysMax);
  auto json = ParseJson<Json>(text);
  if (json.is_discarded()) return Error(ErrorClass::INVALID_ARGUMENT, "the body is not JSON");
  if (!json.is_object())
    return Error(ErrorClass::INVALID_ARGUMENT, "the body is not a JSON object");
  return json;
}

Json ToJson(const catalog::Texts& texts) {
  auto json = Json::object();
  for (const auto& [name, value] : texts) json[name] = value;
  return json;
}

Fields::Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object.is_object())
    first_ = Error(ErrorClass::INVALID_ARGUMENT, "{} is not an object", where_);
}

std::string Fields::Place(std::string_view name) const {
  return where_.empty() ? std::string(name) : fmt::format("{}.{}", where_, name);
}

const Json* Fields::Find(std::string_view name) {
  asked_.emplace(name);
  if (!object_.is_object()) return nullptr;
  auto found = object_.find(std::string(name));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void Fields::Fail(std::string_view name, std::string_view why) {
  if (first_.ok()) first_ = Error(ErrorClass::INVALID_ARGUMENT, "{} {}", Place(name), why);
}

std::optional<std::string> Fields::Text(std::string_view name) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  Fail(name, "is not a text");
  return std::nullopt;
}

std::optional<bool> Fields::Flag(std::string_view name) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  Fail(name, "is not true or false");
  return std::nullopt;
}

std::optional<int64_t> Fields::Number(std::string_view name) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  bool fits = value->is_number_integer() &&
              (!value->is_number_unsigned() || value->get<uint64_t>() <= uint64_t{INT64_MAX});
  if (fits) return value->get<int64_t>();
  Fail(name, "is not a whole number");
  return std::nullopt;
}

std::optional<catalog::Texts> Fields::Texts(std::string_view name) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  catalog::Texts texts;
  if (!value->is_object()) {
    Fail(name, "is not a map of texts");
    return std::nullopt;
  }
  for (const auto& [key, each] : value->items()) {
    if (!each.is_string()) {
      Fail(fmt::format("{}.{}", name, key), "is not a text");
      return std::nullopt;
    }
    texts[key] = each.get<std::string>();
  }
  return texts;
}

std::optional<std::vector<std::string>> Fields::List(std::string_view name) {
  const auto* value = Find(name);
  if (value == nullptr) return std::nullopt;
  bool texts = value->is_array() &&
               std::ranges::all_of(*value, [](const Json& each) { return each.is_string(); });
  if (texts) return value->get<std::vector<std::string>>();
  Fail(name, "is not a list of texts");
  return std::nullopt;
}

const Json* Fields::Object(std::string_view name) {
  const auto* value = Find(name);
  if (value == nullptr || value->is_object()) return value;
  Fail(name, "is not an object");
  return nullptr;
}

const Json* Fields::Array(std::string_view name) {
  const auto* value = Find(name);
  if (value == nullptr || value->is_array()) return value;
  Fail(name, "is not a list");
  return nullptr;
}

std::string Fields::Required(std::string_view name) {
  auto text = Text(name);
  if (!text || text->empty()) Fail(name, "is missing");
  return text.value_or("");
}

void Fields::NotBuilt(std::initializer_list<std::string_view> names) {
  for (auto name : names) {
    const auto* value = Find(name);
    bool said = value != nullptr && !(value->is_structured() && value->empty());
    if (!said || !first_.ok()) continue;
    first_ = Error(ErrorClass::UNSUPPORTED_FIELD, "{} is not supported yet", Place(name));
  }
}

void Fields::Ignore(std::initializer_list<std::string_view> names) {
  for (auto name : names) Find(name);
}

Status Fields::Finish() {
  if (!object_.is_object()) return first_;
  for (const auto& [name, value] : object_.items()) {
    if (asked_.contains(name)) continue;
    return Error(ErrorClass::INVALID_ARGUMENT, "{} is not a field of this request", Place(name))
        .WithRemedy(fmt::format("The fields are: {}.", fmt::join(asked_, ", ")));
  }
  return first_;
}

}  // namespace freshet::api
