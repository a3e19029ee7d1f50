// SPDX-License-Identifier: Apache-2.0
#include "client/legible.h"

#include <fmt/format.h>

#include <cstdint>

namespace freshet::client {
namespace {

struct Character {
  int32_t code;  // -1: a byte that is of none
  size_t bytes;
};

/// Return the text's first character. Source: RFC 3629, 4.
Character First(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const int32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {-1, 1};
  auto code = static_cast<int32_t>(lead & (0xff >> (bytes + 1)));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {-1, 1};
    code = (code << 6) | (byte(i) & 0x3f);
  }
  bool shortest = code >= (bytes == 2 ? 0x80 : bytes == 3 ? 0x800 : 0x10000);
  bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (!shortest || surrogate || code > 0x10ffff) return {-1, 1};
  return {code, bytes};
}

/// What a terminal obeys (C0, C1), and what is not seen or turns the writing around.
/// Source: ECMA-48, 5.2 and 5.3; Unicode, 23.2 and 23.3.
bool IsHidden(int32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || (code >= 0x200b && code <= 0x200f) ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
}

std::string Escaped(int32_t code) {
  if (code == '\n') return "\\n";
  if (code == '\t') return "\\t";
  if (code == '\r') return "\\r";
  return code < 0x100 ? fmt::format("\\x{:02x}", code) : fmt::format("\\u{:04x}", code);
}

std::string Shown(std::string_view text, bool lines) {
  std::string shown;
  while (!text.empty()) {
    auto [code, bytes] = First(text);
    bool stays = lines && (code == '\n' || code == '\t');
    if (code < 0)
      shown += Escaped(static_cast<unsigned char>(text[0]));
    else if (IsHidden(code) && !stays)
      shown += Escaped(code);
    else
      shown += text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return shown;
}

bool Begins(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

}  // namespace

std::string Legible(std::string_view text) { return Shown(text, false); }

std::string LegibleLines(std::string_view text) { return Shown(text, true); }

std::string LegibleJson(std::string_view json_text) {
  // The others stand in strings only; those below a blank are escaped there, and layout elsewhere.
  std::string shown;
  while (!json_text.empty()) {
    auto [code, bytes] = First(json_text);
    if (code > 0x20 && IsHidden(code))
      shown += fmt::format("\\u{:04x}", code);
    else
      shown += json_text.substr(0, bytes);
    json_text.remove_prefix(bytes);
  }
  return shown;
}

size_t WidthOf(std::string_view text) {
  size_t width = 0;
  for (char c : text) width += Begins(c) ? 1 : 0;
  return width;
}

std::string_view Cut(std::string_view text, size_t width) {
  size_t seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (Begins(text[i]) && seen++ == width) return text.substr(0, i);
  }
  return text;
}

}  // namespace freshet::client
