// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "delta/table.h"

namespace freshet::delta {

/// Give a commit on `base` (null: the first) what the table asks of every one: a time of its own,
/// later than that of the version before (the commit that turns this on says since when), and ids
/// for the rows of files, never given before (files that have none get them with the feature).
/// Source: Delta protocol, "Writer Requirements for In-Commit Timestamps" and "… for Row Tracking".
/// Errors: STORE_*, DELTA_CORRUPT, DELTA_UNSUPPORTED (a file does not say how many rows it has).
Status FulfilDuties(store::FileStore& table, const std::shared_ptr<const Snapshot>& base,
                    CommitInfo* info, std::vector<Action>* actions);

}  // namespace freshet::delta
