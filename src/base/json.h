// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace freshet {

// Text to JSON and back, of the library's two kinds: nlohmann::json (fields sorted) and
// nlohmann::ordered_json (fields as they came). Its reader and writer are compiled here alone:
// every other file that called them would compile them again, for a quarter of its time.

/// Return what the text says; is_discarded() where it is not JSON.
template <typename Json>
Json ParseJson(std::string_view text);
/// Return what the text says. Throws nlohmann::json::exception where it is not JSON: for readers
/// that catch it with those of the fields they want.
template <typename Json>
Json ParseJsonOrThrow(std::string_view text);

/// Return the text on one line; bytes that are not UTF-8 become U+FFFD.
std::string JsonText(const nlohmann::json& json);
std::string JsonText(const nlohmann::ordered_json& json);
/// The same for people: two spaces a level.
std::string IndentedJsonText(const nlohmann::json& json);

extern template nlohmann::json ParseJson(std::string_view text);
extern template nlohmann::ordered_json ParseJson(std::string_view text);
extern template nlohmann::json ParseJsonOrThrow(std::string_view text);
extern template nlohmann::ordered_json ParseJsonOrThrow(std::string_view text);

}  // namespace freshet

extern template class nlohmann::basic_json<>;
extern template class nlohmann::basic_json<nlohmann::ordered_map>;
