// SPDX-License-Identifier: Apache-2.0
#include "staging/reason.h"

#include <string>

namespace freshet::staging {

using nlohmann::json;

json ReasonToJson(const Status& why) {
  return {{"error_class", NameOf(why.error_class())},
          {"message", why.message()},
          {"remedy", why.remedy()}};
}

std::optional<Status> ReasonIn(const json& in) {
  bool readable = in.is_object() && in.value("error_class", json()).is_string() &&
                  in.value("message", json()).is_string() && in.value("remedy", json()).is_string();
  if (!readable) return std::nullopt;
  auto error_class = ErrorClassOf(in["error_class"].get<std::string>());
  if (!error_class) return std::nullopt;
  return MakeError(*error_class, in["message"].get<std::string>())
      .WithRemedy(in["remedy"].get<std::string>());
}

}  // namespace freshet::staging
