// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sources/postgres/extent.h"
#include "sources/postgres/key_split.h"
#include "sources/source.h"

namespace freshet::sources::postgres {

/// How many chunks a table or partition is worth.
int64_t ChunksOf(const Extent& leaf);

/// Divide a table, given where its rows lie. `ranges`: whether the server reads some of its blocks
/// alone. Where it does not, leaves are divided as `splits` says by their oids, and others into
/// one chunk a reader.
std::vector<Chunk> PlanChunks(const std::vector<Extent>& leaves, bool ranges,
                              const std::map<uint32_t, KeySplit>& splits = {});

/// What to read of a table from a later snapshot, as Snapshot::PlanRest has it. Errors:
/// INVALID_ARGUMENT.
Result<std::optional<std::vector<Chunk>>> PlanRestOf(const std::vector<Extent>& leaves,
                                                     const std::vector<std::string>& plan,
                                                     const std::set<int64_t>& done);

}  // namespace freshet::sources::postgres
