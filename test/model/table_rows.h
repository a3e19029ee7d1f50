// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/values.h"
#include "store/file_store.h"

namespace freshet::model {

/// Read a Delta table's live rows, in no order.
Result<std::vector<Row>> LiveRows(std::shared_ptr<store::FileStore> table);

/// What another engine does to the table, as it would commit it: nothing of ours is kept but what
/// Delta keeps. Rewrite all files into one, with new names.
Status ForeignOptimize(std::shared_ptr<store::FileStore> table);
/// Remove the files that the newest state does not name, however young.
Status ForeignVacuum(std::shared_ptr<store::FileStore> table);
/// Remove a table's data files and leave its log.
Status LoseData(std::shared_ptr<store::FileStore> table);
/// Mark the rows dead whose first columns are these cells.
Status ForeignDelete(std::shared_ptr<store::FileStore> table, const Row& first_columns);
/// Comment on a column.
Status ForeignComment(std::shared_ptr<store::FileStore> table, const std::string& column,
                      const std::string& text);
/// Give the table a property, and the protocol what that takes.
Status ForeignProperty(std::shared_ptr<store::FileStore> table, const std::string& name,
                       const std::string& value);
/// Bring the state of `back` versions ago back.
Status ForeignRestore(std::shared_ptr<store::FileStore> table, int64_t back);

}  // namespace freshet::model
