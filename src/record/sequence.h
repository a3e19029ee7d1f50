// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace freshet::record {

/// The order of changes: 24 bytes compared as bytes, 4 of epoch (grows when the server's identity
/// or timeline changes), then 20 of the source's position. Compared only inside one fold and
/// against snapshot positions.
struct Sequence {
  std::array<uint8_t, 24> bytes{};

  auto operator<=>(const Sequence&) const = default;
  /// Return the 24 raw bytes.
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  /// Return what all changes of one source transaction share, and no other's: epoch and position.
  std::string_view transaction() const { return view().substr(0, 12); }
  /// Return 48 lower-case hex digits, the form in manifests.
  std::string ToHex() const;
  /// Errors: STAGING_CORRUPT.
  static Result<Sequence> FromHex(std::string_view hex);
  /// REQUIRES: 24 bytes.
  static Sequence FromBytes(std::string_view raw);
  /// Epoch, then two big-endian numbers and four zero bytes: the usual (position, ordinal within
  /// it).
  static Sequence Of(uint32_t epoch, uint64_t position, uint64_t ordinal);
};

/// The source's own position, opaque outside it; at most limits::kCursorBytesMax. Empty means "none
/// yet".
struct Cursor {
  std::string text;
  bool operator==(const Cursor&) const = default;
};

}  // namespace freshet::record
