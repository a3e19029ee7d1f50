// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/status.h"
#include "store/local_file.h"

namespace freshet::store {

/// Room on a local disk for bytes that need not survive: strings that grow at their end, all in one
/// file without a name, which is gone with the process however that ends. A freed string's room is
/// used again, and goes back to the disk once there is no string left. One thread.
class Scratch {
 public:
  static constexpr size_t kBlockBytes = 256 * limits::kKiB;

  /// One string; it takes whole blocks of the file until it is freed, and four bytes of memory for
  /// each.
  struct Bytes {
    std::vector<uint32_t> blocks;
    size_t size = 0;
  };

  /// `folder` is there when the first bytes come: the file is made then.
  explicit Scratch(std::string folder) : folder_(std::move(folder)) {}

  /// Errors: STORE_FULL, STORE_READ_ONLY, STORE_UNAVAILABLE; the string is then as it was.
  Status Append(std::string_view more, Bytes* bytes);
  /// Fill `into` with what stands from `offset` on. REQUIRES: the string is that long. Errors:
  /// STORE_UNAVAILABLE.
  Status Read(const Bytes& bytes, size_t offset, std::span<char> into) const;
  /// Leave the string empty and its room to others.
  void Free(Bytes* bytes);

 private:
  Status Make();
  uint32_t TakeBlock();

  const std::string folder_;
  OpenFile file_;
  uint32_t blocks_ = 0;                // that the file has
  std::vector<uint32_t> free_blocks_;  // of them
};

}  // namespace freshet::store
