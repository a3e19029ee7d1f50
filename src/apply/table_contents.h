// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/record_batch.h>

#include <memory>
#include <vector>

#include "delta/table.h"

namespace freshet::apply {

/// The living rows of a table at one version, in its columns by their logical names; one batch a
/// row group, in no order that means anything. For tests and for comparing: it holds all rows.
Result<std::vector<std::shared_ptr<arrow::RecordBatch>>> ReadLiveRows(
    const std::shared_ptr<store::FileStore>& table, const delta::Snapshot& snapshot);

}  // namespace freshet::apply
