// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace freshet::sources::postgres {

/// The rows of one table or partition that a chunk reads by the values of one column, where the
/// server has no ranges of blocks. Ranges that follow one another hold each row once: the first is
/// open below and takes the NULLs, the last is open above.
struct KeyRange {
  uint32_t oid = 0;
  int32_t column = 0;  // its number
  std::string type;    // as IsKeyType names it
  std::optional<std::string> from, below;
  uint32_t file = 0;  // relfilenode, when it was planned

  bool operator==(const KeyRange&) const = default;
};

/// A type as pg_type numbers it and as SQL in pg_catalog names it.
struct KeyType {
  uint32_t oid = 0;
  std::string_view name;
};
/// Return the type that tables may be divided by, nothing for any other: its order is the same on
/// every server and for good, every two values have an order (NaN and the infinities too), and its
/// text reads back as the same value. That of text depends on the library of its locale: an index
/// that was built under another version of it hides rows.
std::optional<KeyType> KeyTypeOf(uint32_t oid);

/// A chunk's text: `table=OID column=NUMBER type=NAME keys=['FROM']..['BELOW'] file=NUMBER`.
std::string ToText(const KeyRange& range);
/// Whether a chunk's text is a key range's.
bool IsKeyRange(std::string_view text);
/// Errors: INVALID_ARGUMENT.
Result<KeyRange> KeyRangeFrom(const std::string& text);

/// Return the SQL condition of the range's rows. `column` is the column's name now, not quoted.
std::string ConditionOf(const KeyRange& range, std::string_view column);

}  // namespace freshet::sources::postgres
