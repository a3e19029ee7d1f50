// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sources/postgres/extent.h"
#include "sources/source.h"

namespace freshet::sources::postgres {

/// Divide a table, given where its rows lie. `ranges`: whether the server reads some of its blocks
/// alone.
std::vector<Chunk> PlanChunks(const std::vector<Extent>& leaves, bool ranges);

/// What to read of a table from a later snapshot, as Snapshot::PlanRest has it. Errors:
/// INVALID_ARGUMENT.
Result<std::optional<std::vector<Chunk>>> PlanRestOf(const std::vector<Extent>& leaves,
                                                     const std::vector<std::string>& plan,
                                                     const std::set<int64_t>& done);

}  // namespace freshet::sources::postgres
