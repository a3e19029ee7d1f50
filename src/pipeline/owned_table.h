// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/status.h"
#include "pipeline/flow_book.h"

namespace freshet::pipeline {

/// Whose rows a table holds: of which staging, and which pipeline over it brought them there.
struct TableOwner {
  std::string staging;  // empty: nobody's
  std::string pipeline = kOnlyPipeline;
};

/// Whether the table in this folder says of itself that it is this owner's. False: no table,
/// another program's, another staging's or pipeline's. Nothing is written there.
/// Errors: DELTA_CORRUPT, POSITION_LOST, STORE_*.
Result<bool> IsTableOf(const std::string& folder, const TableOwner& owner);

/// Remove the folder and all that is in it; false: it is left as it is, for its table is not this
/// owner's. A folder that is not there counts as removed; so does one without a log only where
/// `unfinished` says that it may hold what a table was begun with.
/// After a crash in between a second call goes on. Errors: as IsTableOf.
Result<bool> RemoveTableOf(const std::string& folder, const TableOwner& owner, bool unfinished);

}  // namespace freshet::pipeline
