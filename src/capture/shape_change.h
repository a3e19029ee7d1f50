// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "record/shape.h"

namespace freshet::capture {

/// Whether both name the same columns as their key, by id.
bool SameKey(const record::TableShape& before, const record::TableShape& after);

/// Say whether a table can be followed from one shape to the next without being read again: columns
/// were added that are NULL in the rows before, renamed or dropped.
/// Errors: KEY_CHANGED, SHAPE_CHANGE_UNSUPPORTED, and what CheckShape says.
Status CheckFollowable(const record::TableShape& before, const record::TableShape& after);

/// Say what the columns of a shape are beside those of the one before: `added w, renamed v to x,
/// comments`.
std::string ChangesOf(const record::TableShape& before, const record::TableShape& after);

/// Say that a table waits because its shape changed in this way.
Status Paused(const record::TableName& table, std::string_view how);

/// Whether an error is about one table: that table breaks, the others go on.
bool IsTableProblem(const Status& status);
bool IsTableProblem(ErrorClass error_class);

}  // namespace freshet::capture
