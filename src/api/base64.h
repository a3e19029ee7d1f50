// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace freshet::api {

/// Source: RFC 4648, 4.
std::string ToBase64(std::string_view bytes);
/// With or without its `=`; nothing: it is none.
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace freshet::api
