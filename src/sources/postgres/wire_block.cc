// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/wire_block.h"

#include <cstdint>
#include <cstring>

namespace freshet::sources::postgres {
namespace {

constexpr size_t kLengthBytes = sizeof(uint32_t);

}  // namespace

void WireBlock::Add(std::string_view message) {
  auto length = static_cast<uint32_t>(message.size());
  char prefix[kLengthBytes];
  std::memcpy(prefix, &length, kLengthBytes);
  bytes_.append(prefix, kLengthBytes).append(message);
}

std::optional<std::string_view> WireBlock::Next() {
  if (at_ == bytes_.size()) return std::nullopt;
  uint32_t length = 0;
  std::memcpy(&length, bytes_.data() + at_, kLengthBytes);
  std::string_view message(bytes_.data() + at_ + kLengthBytes, length);
  at_ += kLengthBytes + length;
  return message;
}

}  // namespace freshet::sources::postgres
