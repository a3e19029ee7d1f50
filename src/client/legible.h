// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace freshet::client {

// What a server says may have come from anybody: nothing of it moves a terminal's cursor, colours,
// title or writing direction.

/// Return the text on one line, with `\x1b` and the like for what a terminal would obey, for bytes
/// that are not UTF-8, and for what nobody sees.
std::string Legible(std::string_view text);
/// The same, but line ends and tabs stay: of SQL, for one.
std::string LegibleLines(std::string_view text);
/// Return the same JSON, in which such characters are written by their numbers.
std::string LegibleJson(std::string_view json_text);

/// Return the columns that a legible text takes.
size_t WidthOf(std::string_view text);
/// Return as much of a legible text as so many columns hold, whole characters only.
std::string_view Cut(std::string_view text, size_t width);

}  // namespace freshet::client
