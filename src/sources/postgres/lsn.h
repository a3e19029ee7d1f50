// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "record/sequence.h"

namespace freshet::sources::postgres {

/// A place in the server's write-ahead log.
using Lsn = uint64_t;

/// Return the server's own spelling, `16/B374D848`.
std::string FormatLsn(Lsn lsn);
/// Errors: SOURCE_PROTOCOL.
Result<Lsn> ParseLsn(std::string_view text);

/// What a cursor of this source says: resume at `lsn`, in that history of that source.
/// As text: `0/16B3748 epoch=1 source=7303918273645-16384`.
struct Position {
  Lsn lsn = 0;
  /// The server's timeline.
  uint32_t epoch = 0;
  /// System identifier and database oid.
  std::string source;
};
record::Cursor ToCursor(const Position& position);
/// Errors: STAGING_CORRUPT (the text is none of ours).
Result<Position> FromCursor(const record::Cursor& cursor);

}  // namespace freshet::sources::postgres
