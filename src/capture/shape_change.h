// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status.h"
#include "record/shape.h"

namespace freshet::capture {

/// Whether both name the same columns as their key, by id.
bool SameKey(const record::TableShape& before, const record::TableShape& after);
/// Whether the columns of `before` that have fields inside still have the same ones.
bool SameFields(const record::TableShape& before, const record::TableShape& after);

/// Say whether a table can be followed from one shape to the next: only columns were added, at the
/// end.
/// Errors: KEY_CHANGED, SHAPE_CHANGE_UNSUPPORTED, and what CheckShape says.
Status CheckFollowable(const record::TableShape& before, const record::TableShape& after);

/// Whether an error is about one table: that table breaks, the others go on.
bool IsTableProblem(const Status& status);

}  // namespace freshet::capture
