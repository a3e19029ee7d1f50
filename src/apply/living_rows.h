// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/builder.h>
#include <arrow/record_batch.h>

#include <memory>

#include "base/status.h"
#include "delta/deletion_vector.h"

namespace freshet::apply {

/// The columns' values at the ordinals that were appended, in that order. REQUIRES: rows of them.
Result<arrow::ArrayVector> ValuesAt(const arrow::ArrayVector& columns,
                                    arrow::Int64Builder* ordinals);
/// … of one column.
Result<std::shared_ptr<arrow::Array>> ValuesAt(const arrow::Array& column,
                                               const arrow::Array& ordinals);

/// The rows that are not dead of some that lie one behind the other in a file, from `first` on.
Result<std::shared_ptr<arrow::RecordBatch>> LivingRows(std::shared_ptr<arrow::RecordBatch> rows,
                                                       int64_t first,
                                                       const delta::DeletionVector& dead);

}  // namespace freshet::apply
