// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/status.h"

namespace freshet::pipeline {

/// Whether the table in this folder says of itself that it holds the rows of this staging. False:
/// no table, another program's, another staging's. Nothing is written there.
/// Errors: DELTA_CORRUPT, POSITION_LOST, STORE_*.
Result<bool> IsTableOf(const std::string& folder, const std::string& staging);

/// Remove the folder and all that is in it; false: it is left as it is, for its table is not this
/// staging's. A folder that is not there counts as removed; so does one without a log only where
/// `unfinished` says that it may hold what a table was begun with.
/// After a crash in between a second call goes on. Errors: as IsTableOf.
Result<bool> RemoveTableOf(const std::string& folder, const std::string& staging, bool unfinished);

}  // namespace freshet::pipeline
