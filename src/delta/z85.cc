// SPDX-License-Identifier: Apache-2.0
#include "delta/z85.h"

#include <array>

#include "base/status.h"

namespace freshet::delta {
namespace {

constexpr std::string_view kAlphabet =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
static_assert(kAlphabet.size() == 85);

}  // namespace

std::string EncodeZ85(std::string_view bytes) {
  FRESHET_ASSERT(bytes.size() % 4 == 0);
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 4) {
    uint32_t value = 0;
    for (size_t k = 0; k < 4; ++k) value = (value << 8U) | static_cast<uint8_t>(bytes[i + k]);
    std::array<char, 5> group{};
    for (size_t k = 5; k-- > 0; value /= 85) group[k] = kAlphabet[value % 85];
    out.append(group.data(), group.size());
  }
  return out;
}

std::optional<std::string> DecodeZ85(std::string_view text) {
  if (text.size() % 5 != 0) return std::nullopt;
  std::string out;
  for (size_t i = 0; i < text.size(); i += 5) {
    uint64_t value = 0;
    for (size_t k = 0; k < 5; ++k) {
      const size_t digit = kAlphabet.find(text[i + k]);
      if (digit == std::string_view::npos) return std::nullopt;
      value = value * 85 + digit;
    }
    if (value > 0xFFFFFFFFU) return std::nullopt;
    for (unsigned shift = 32; shift > 0; shift -= 8) {
      out += static_cast<char>(static_cast<uint8_t>(value >> (shift - 8)));
    }
  }
  return out;
}

}  // namespace freshet::delta
