// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "record/change.h"
#include "sources/postgres/connection.h"

namespace freshet::sources::postgres {

/// A partition that holds rows itself, however deep below its table.
struct Leaf {
  uint32_t root = 0;
  uint32_t oid = 0;
  /// The id is `oid@xid/oid@xid…`, from the partition up: each with the transaction that attached
  /// it, so that a partition which was detached and attached again is another.
  record::Partition partition;
};

/// Return the SQL condition that a row of pg_inherits, by its alias, is of a partition still: one
/// whose DETACH … CONCURRENTLY has begun is none any more.
std::string Attached(std::string_view link);

/// Read the partitions that hold the rows of all partitioned tables, or of `roots`. No table is
/// locked, but for one that was attached instead of made as a partition: while that has to wait, it
/// counts as one with rows. Where the publication
/// sends changes under the root, which hides that a partition is truncated, the ids hold the files
/// too.
Result<std::vector<Leaf>> ReadLeaves(Connection* connection, const std::string& publication,
                                     const std::optional<std::set<uint32_t>>& roots);

/// Return the partitioned tables that this one is a partition of by now, and itself at the front.
/// Empty: it is gone.
Result<std::vector<uint32_t>> ReadLineage(Connection* connection, uint32_t oid);

}  // namespace freshet::sources::postgres
