// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "record/shape.h"

namespace freshet::capture {

/// The place of a column in a shape; -1: it has none.
int PlaceOf(const record::TableShape& shape, record::ColumnId id);

/// Return the shape with those of `columns` that it has, in their order, each once, as they are
/// called in it. REQUIRES: the key's are among them.
record::TableShape OfColumns(const record::TableShape& shape,
                             const std::vector<record::ColumnId>& columns);

/// Whether both name the same columns as their key, by id.
bool SameKey(const record::TableShape& before, const record::TableShape& after);

/// Say whether a table can be followed from one shape to the next without being read again: columns
/// were added that are NULL in the rows before, renamed or dropped; with `fills` also columns that
/// are to be read alone.
/// Errors: KEY_CHANGED, SHAPE_CHANGE_UNSUPPORTED, and what CheckShape says.
Status CheckFollowable(const record::TableShape& before, const record::TableShape& after,
                       bool fills);

/// The columns of a shape that came since the one before and in which rows from before may hold
/// something: they were added with a default, or were there and not selected.
std::vector<record::ColumnId> UnfilledColumns(const record::TableShape& before,
                                              const record::TableShape& after);

/// The key of a shape and those of `columns` that it has, as a shape to read them alone in.
record::TableShape Narrowed(const record::TableShape& shape,
                            const std::vector<record::ColumnId>& columns);

/// Say what the columns of a shape are beside those of the one before: `added w, renamed v to x,
/// comments`.
std::string ChangesOf(const record::TableShape& before, const record::TableShape& after);

/// Say that a table waits because its shape changed in this way.
Status Paused(const record::TableName& table, std::string_view how);

/// Whether an error is about one table: that table breaks, the others go on.
bool IsTableProblem(const Status& status);
bool IsTableProblem(ErrorClass error_class);
/// The same of what came of reading or describing a table: a right, a row that cannot be read, a
/// condition that fails are its own matter too.
bool IsOfTable(const Status& status);

}  // namespace freshet::capture
