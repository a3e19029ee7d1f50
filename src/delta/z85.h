// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace freshet::delta {

/// ZeroMQ's base 85 (RFC 32/Z85), four bytes in five characters. REQUIRES: a length that is a
/// multiple of four.
std::string EncodeZ85(std::string_view bytes);
/// Nothing when the text is not Z85.
std::optional<std::string> DecodeZ85(std::string_view text);

}  // namespace freshet::delta
