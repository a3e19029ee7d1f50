// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>
#include <string>

#include "apply/key_index.h"
#include "apply/table_form.h"
#include "base/limits.h"
#include "delta/table.h"

namespace freshet::apply {

/// What indexing may take: a folder on a local disk for bytes that need not survive, and how many
/// entries are in memory.
struct IndexRoom {
  std::string scratch_folder;
  size_t entries_max = limits::kIndexIngestEntriesMax;
};

/// Bring a flow's entries to `target`, by the difference of the state they reflect and the target,
/// whoever wrote it: of a file that is new, or whose deletion vector lost rows, the rows that live
/// at the target are ingested; a vector that grew needs nothing. Where the difference cannot be
/// known (no mark, another layout, a version the log no longer reaches) the flow is indexed anew.
/// Errors: CANCELLED, as KeyIndex, delta::Table and parquet::Reader.
Status FollowIndex(KeyIndex* index, const record::FlowId& flow, const TableForm& form,
                   const delta::Table& table, const delta::Snapshot& target, const IndexRoom& room,
                   const std::stop_token& stop);

}  // namespace freshet::apply
