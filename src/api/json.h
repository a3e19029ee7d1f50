// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "catalog/catalog.h"

namespace freshet::api {

/// JSON as clients send and get it: fields keep their order.
using Json = nlohmann::ordered_json;

/// Read a body; an empty one is an empty object. Errors: INVALID_ARGUMENT (not JSON, not an object,
/// nested too deeply).
Result<Json> ParseBody(std::string_view text);
Json ToJson(const catalog::Texts& texts);

/// Reads the fields of one object, each by name and kind. What Finish returns is a field that
/// nobody asked for, for nothing is silently ignored, else the first that is wrong. One thread.
class Fields {
 public:
  /// `where`: the object's place in the body, for messages; empty: the body. Both live longer.
  explicit Fields(const Json& object, std::string where = {});

  /// Absent and null read as nothing.
  std::optional<std::string> Text(std::string_view name);
  std::optional<bool> Flag(std::string_view name);
  std::optional<int64_t> Number(std::string_view name);
  std::optional<catalog::Texts> Texts(std::string_view name);
  std::optional<std::vector<std::string>> List(std::string_view name);
  /// Whatever is in it; null when absent.
  const Json* Object(std::string_view name);
  const Json* Array(std::string_view name);
  /// Whatever it is.
  const Json* Any(std::string_view name) { return Find(name); }
  /// A text that has to be there and not be empty.
  std::string Required(std::string_view name);
  /// Known fields that are not built: refused by name when they are given.
  void NotBuilt(std::initializer_list<std::string_view> names);
  /// Known fields that say nothing here.
  void Ignore(std::initializer_list<std::string_view> names);
  /// Note an error of the caller's own.
  void Fail(std::string_view name, std::string_view why);
  /// Errors: INVALID_ARGUMENT (the remedy of an unknown field names those that there are),
  /// UNSUPPORTED_FIELD.
  Status Finish();

 private:
  const Json* Find(std::string_view name);
  std::string Place(std::string_view name) const;

  const Json& object_;
  const std::string where_;
  std::set<std::string, std::less<>> asked_;
  Status first_;
};

}  // namespace freshet::api
