// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "apply/table_form.h"
#include "base/status.h"
#include "delta/table.h"
#include "record/shape.h"

namespace freshet::apply {

/// Give a table the columns of a newer shape of its source. What the shape has and the table lacks
/// is added; what has another name there is renamed, and its values stay; what the shape lacks
/// stays too, inactive. An inactive column whose name is another's by now is moved aside, as
/// `<name>__dropped_<n>`. `mark` is the table's; where its columns may take wider types (`widens`),
/// those do that leave the rows what they are.
/// Errors: SHAPE_CHANGE_UNSUPPORTED (a column has another type), COLUMN_NAME_CONFLICT (a column
/// that another program added, or the table's history, has the name).
Status TakeColumns(const record::TableShape& shape, const TableMark& mark, bool widens,
                   std::vector<delta::Column>* columns);

/// The names of columns that were dropped, and of those that stay because a property of the table
/// names them.
struct DroppedColumns {
  std::vector<std::string> dropped, named;
};
/// Take the inactive columns away that nothing of the table goes by, and note that in its mark.
DroppedColumns DropInactive(const delta::Metadata& metadata, TableMark* mark,
                            std::vector<delta::Column>* columns);

/// The columns that came from the source and are not in its shape any more.
std::vector<record::ColumnId> InactiveColumns(const std::vector<delta::Column>& columns,
                                              const record::TableShape& shape);

}  // namespace freshet::apply
