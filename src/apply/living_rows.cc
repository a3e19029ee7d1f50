// SPDX-License-Identifier: Apache-2.0
#include "apply/living_rows.h"

#include <arrow/compute/api_vector.h>

#include "record/arrow_status.h"

namespace freshet::apply {

Result<std::shared_ptr<arrow::Array>> ValuesAt(const arrow::Array& column,
                                               const arrow::Array& ordinals) {
  FRESHET_TRY(auto taken,
              arrow::compute::Take(column, ordinals, arrow::compute::TakeOptions::NoBoundsCheck()));
  return taken;
}

Result<arrow::ArrayVector> ValuesAt(const arrow::ArrayVector& columns,
                                    arrow::Int64Builder* ordinals) {
  FRESHET_TRY(auto indices, ordinals->Finish());
  arrow::ArrayVector values;
  for (const auto& column : columns) {
    FRESHET_TRY(values.emplace_back(), ValuesAt(*column, *indices));
  }
  return values;
}

Result<std::shared_ptr<arrow::RecordBatch>> LivingRows(std::shared_ptr<arrow::RecordBatch> rows,
                                                       int64_t first,
                                                       const delta::DeletionVector& dead) {
  arrow::Int64Builder living;
  for (int64_t row = 0; row < rows->num_rows(); ++row) {
    if (!dead.Contains(static_cast<uint64_t>(first + row))) FRESHET_CHECK_OK(living.Append(row));
  }
  const int64_t count = living.length();
  if (count == rows->num_rows()) return rows;
  FRESHET_TRY(auto columns, ValuesAt(rows->columns(), &living));
  return arrow::RecordBatch::Make(rows->schema(), count, std::move(columns));
}

}  // namespace freshet::apply
