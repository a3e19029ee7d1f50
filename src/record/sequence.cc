// SPDX-License-Identifier: Apache-2.0
#include "record/sequence.h"

#include <cstring>

namespace freshet::record {
namespace {

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

void PutBigEndian(uint8_t* to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to[i] = static_cast<uint8_t>(value >> (8 * (bytes - 1 - i)));
}

}  // namespace

std::string Sequence::ToHex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xF];
  }
  return text;
}

Result<Sequence> Sequence::FromHex(std::string_view hex) {
  Sequence sequence;
  if (hex.size() != 2 * sequence.bytes.size())
    return Error(ErrorClass::STAGING_CORRUPT, "a sequence has 48 hex digits, not {}", hex.size());
  for (size_t i = 0; i < sequence.bytes.size(); ++i) {
    int high = DigitOf(hex[2 * i]);
    int low = DigitOf(hex[2 * i + 1]);
    if (high < 0 || low < 0) return Error(ErrorClass::STAGING_CORRUPT, "not a sequence: {}", hex);
    sequence.bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return sequence;
}

Sequence Sequence::FromBytes(std::string_view raw) {
  Sequence sequence;
  FRESHET_ASSERT(raw.size() == sequence.bytes.size());
  std::memcpy(sequence.bytes.data(), raw.data(), raw.size());
  return sequence;
}

Sequence Sequence::Of(uint32_t epoch, uint64_t position, uint64_t ordinal) {
  Sequence sequence;
  PutBigEndian(sequence.bytes.data(), epoch, 4);
  PutBigEndian(sequence.bytes.data() + 4, position, 8);
  PutBigEndian(sequence.bytes.data() + 12, ordinal, 8);
  return sequence;
}

}  // namespace freshet::record
