// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/json.h"
#include "base/status.h"

namespace freshet::api {

/// What a route takes and answers, as JSON Schema.
struct Described {
  struct Parameter {
    std::string name;
    bool required = false;
    Json schema{};
  };
  std::vector<Parameter> query{};
  std::optional<Json> body{};
  bool form = false;             // the body is a form, `a=b&c=d`
  std::optional<Json> answer{};  // nothing: it has no body
  std::string summary{};
};

/// All that resources say of themselves: their types and their operations, by name.
struct Descriptions {
  Json types = Json::object();  // a type that names another has a `$ref` to it
  std::map<std::string, Described, std::less<>> operations{};
};

/// What a type's name stands for in a `$ref`.
inline constexpr std::string_view kTypePrefix = "#/components/schemas/";

/// Read one resource's description, beside what others said before. It is a list of types and
/// operations:
///
///   Volume = {name: text, comment?: text, volume_type: "MANAGED" | "EXTERNAL", ...Common}
///   volumes.list(catalog_name: text, max_results?: count): {volumes: [Volume]} -- Lists them.
///   volumes.update(VolumeChange): Volume -- Changes one.
///
/// A field or parameter with a `?` may be left out; `...T` takes the fields of a type that stands
/// before. Among an operation's parameters, one without a name is the body, `form` before it says
/// that it is one; an answer may be `nothing`. A type is one of these words:
///
///   text · count (a number of 0 or more) · number (whole) · real · flag · moment (a time as text)
///   · any · bytes · unbuilt (a field that is known and refused, unless it says nothing)
///
/// or `"A"`, that text; `Name`; `[T]`, a list; `{…}`, an object; `{*: T}`, one of any names;
/// `T | T`. `#` begins a comment. Errors: INTERNAL, with the place.
Status ReadDescription(std::string_view text, Descriptions* descriptions);

}  // namespace freshet::api
