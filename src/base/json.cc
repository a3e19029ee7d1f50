// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

template class nlohmann::basic_json<>;
template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace freshet {
namespace {

template <typename Json>
std::string Text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

template <typename Json>
Json ParseJson(std::string_view text) {
  return Json::parse(text, nullptr, false);
}

template <typename Json>
Json ParseJsonOrThrow(std::string_view text) {
  return Json::parse(text);
}

template nlohmann::json ParseJson(std::string_view text);
template nlohmann::ordered_json ParseJson(std::string_view text);
template nlohmann::json ParseJsonOrThrow(std::string_view text);
template nlohmann::ordered_json ParseJsonOrThrow(std::string_view text);

std::string JsonText(const nlohmann::json& json) { return Text(json, -1); }

std::string JsonText(const nlohmann::ordered_json& json) { return Text(json, -1); }

std::string IndentedJsonText(const nlohmann::json& json) { return Text(json, 2); }

}  // namespace freshet
