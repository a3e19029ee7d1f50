// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <stop_token>

#include "apply/compaction.h"
#include "apply/live_rows.h"

namespace freshet::apply {

/// Write what lives of files that lost some of their rows to new ones, which `rows` then counts
/// instead: so a table changes that has no deletion vectors. Null: there are none.
/// Errors: as Compaction.
Result<std::unique_ptr<Compaction>> CopyTornFiles(const std::shared_ptr<store::FileStore>& table,
                                                  const TableForm& form, int64_t now_ms,
                                                  const std::stop_token& stop, LiveRows* rows);

}  // namespace freshet::apply
