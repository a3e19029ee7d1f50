// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status.h"
#include "record/change.h"
#include "record/shape.h"

namespace freshet::capture {

/// Say whether a table can keep its columns and key though the source's are others by now: none has
/// another type, and those that went are not needed to know a row by.
/// Errors: KEY_CHANGED, SHAPE_CHANGE_UNSUPPORTED.
Status CheckIgnorable(const record::TableShape& kept, const record::TableShape& now);

/// Return the source's columns that are among the kept ones, as they are called now.
/// REQUIRES: CheckIgnorable.
record::TableShape Restricted(const record::TableShape& kept, const record::TableShape& now);

/// See a batch as one of the kept columns: what it lacks is null. REQUIRES: CheckIgnorable.
Result<record::ChangeBatch> InKept(std::shared_ptr<const record::TableShape> kept,
                                   const record::ChangeBatch& batch);

}  // namespace freshet::capture
