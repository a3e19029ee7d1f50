// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "delta/table.h"

/// What a table no longer needs goes: by the ages of files as the store tells them, counted back
/// from the newest commit's, so that our own clock is not asked and an idle table loses nothing.
namespace freshet::delta {

struct Cleaned {
  int64_t files = 0;
  int64_t bytes = 0;
};

/// Remove data files (`*.parquet`) and deletion vectors below the table's folder that are older
/// than the table's retention and that neither a live file nor a tombstone within it names:
/// superseded ones, and those whose commit never came; and files of the change data feed that are
/// older. Other folders that begin with `_` or `.`, and files of other names, are left alone.
/// `snapshot` is the newest state; a commit made meanwhile is safe as long as its new files are
/// younger than the retention.
/// Errors: STORE_*; what was removed before stays removed.
/// Source: Delta, "Remove unused data files with vacuum".
Result<Cleaned> Vacuum(store::FileStore& table, const Snapshot& snapshot);

/// Remove commits and checkpoints, oldest first, that are older than the table's log retention and
/// behind a checkpoint from which every younger version can still be read.
/// Errors: STORE_*; what was removed before stays removed, and the rest is a whole log.
/// Source: Delta protocol, "Metadata Cleanup".
Result<Cleaned> CleanLog(store::FileStore& table, const Snapshot& snapshot);

}  // namespace freshet::delta
