// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <vector>

#include "base/status.h"

namespace freshet {
namespace {

void Fill(unsigned char* data, size_t size) {
  ssize_t got = getrandom(data, size, 0);
  FRESHET_ASSERT(got == static_cast<ssize_t>(size));
}

}  // namespace

std::string RandomHex(int bytes) {
  std::vector<unsigned char> raw(static_cast<size_t>(bytes));
  Fill(raw.data(), raw.size());
  std::string text;
  for (unsigned char byte : raw) text += fmt::format("{:02x}", byte);
  return text;
}

std::string RandomUuid() {
  std::array<unsigned char, 16> raw;
  Fill(raw.data(), raw.size());
  raw[6] = static_cast<unsigned char>((raw[6] & 0x0F) | 0x40);  // RFC 4122, 4.4: version 4
  raw[8] = static_cast<unsigned char>((raw[8] & 0x3F) | 0x80);  // and variant 1
  std::string text;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", raw[i]);
  }
  return text;
}

}  // namespace freshet
