// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"

namespace freshet::sources::postgres {

/// The blocks of one table or partition that a chunk reads, and the file that they are in, as both
/// were when it was planned.
struct BlockRange {
  uint32_t oid = 0;
  int64_t first = 0;
  std::optional<int64_t> end;  // none: all that follow
  uint32_t file = 0;           // relfilenode; 0: not known
  int64_t size = -1;           // blocks of the file; -1: not known

  bool operator==(const BlockRange&) const = default;
};

/// A chunk's text: `table=OID blocks=FIRST..[END][ file=NUMBER size=BLOCKS]`.
std::string ToText(const BlockRange& range);
/// Errors: INVALID_ARGUMENT.
Result<BlockRange> BlockRangeFrom(const std::string& text);

}  // namespace freshet::sources::postgres
