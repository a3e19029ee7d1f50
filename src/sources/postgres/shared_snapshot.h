// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/clock.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/lsn.h"

namespace freshet::sources::postgres {

/// An exported snapshot as every session that joins it knows it. Its handle in text is
/// `00000003-0000001B-1 at=0/16B3748 epoch=1 taken=1600000000000000 sees=-42`.
struct SharedSnapshot {
  std::string name;  // the server's; lives as long as the session that exported it
  Lsn position = 0;
  uint32_t epoch = 0;
  UtcMicros taken_at = 0;
  /// A hash of which transactions it sees. After a restart the server gives names anew: one of ours
  /// may then name another's snapshot.
  int64_t sees = 0;
};
std::string ToHandle(const SharedSnapshot& snapshot);
/// Errors: SNAPSHOT_STALE (the text is none of ours).
Result<SharedSnapshot> FromHandle(const std::string& handle);

/// What a transaction is asked for `sees`, in SQL.
inline constexpr char kSees[] = "hashtextextended(pg_current_snapshot()::text, 0)";

/// Begin a transaction that sees exactly the snapshot. Errors: SNAPSHOT_STALE (nobody holds it any
/// more), SOURCE_UNREACHABLE.
Status Join(Connection* connection, const SharedSnapshot& snapshot);

}  // namespace freshet::sources::postgres
