// SPDX-License-Identifier: Apache-2.0
#include "api/base64.h"

#include <cstdint>

namespace freshet::api {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr int kBitsPerDigit = 6, kBitsPerByte = 8;

}  // namespace

std::string ToBase64(std::string_view bytes) {
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (char c : bytes) {
    bits = bits << kBitsPerByte | static_cast<unsigned char>(c);
    for (count += kBitsPerByte; count >= kBitsPerDigit;) {
      count -= kBitsPerDigit;
      text += kDigits[bits >> count & 0x3f];
    }
  }
  if (count > 0) text += kDigits[bits << (kBitsPerDigit - count) & 0x3f];
  while (text.size() % 4 != 0) text += '=';
  return text;
}

std::optional<std::string> FromBase64(std::string_view text) {
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << kBitsPerDigit | static_cast<uint32_t>(digit);
    count += kBitsPerDigit;
    if (count < kBitsPerByte) continue;
    count -= kBitsPerByte;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes;
}

}  // namespace freshet::api
