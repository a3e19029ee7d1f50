// SPDX-License-Identifier: Apache-2.0
#include "apply/append_plan.h"

#include <arrow/compute/api_vector.h>

#include "record/arrow_status.h"

namespace freshet::apply {

Status AppendPlanner::PlanSlice(const std::vector<FoldItem>& items, bool /*goes_on*/) {
  if (!table_.form->rows.keyless()) {
    FRESHET_TRY(const auto folded, Fold(table_.form->rows, items, Keep::kAll));
    return WritePuts(items, folded, Addresses(folded.erases.size()));
  }
  for (const auto& item : items) {
    if (const auto* batch = std::get_if<FoldBatch>(&item)) FRESHET_CHECK_OK(Append(*batch));
  }
  return Status::Ok();
}

Status AppendPlanner::Append(const FoldBatch& batch) {
  const record::ChangeView view(batch.changes);
  arrow::Int64Builder builder;
  KeyedRows added;
  for (int64_t row = 0; row < view.size(); ++row) {
    if (view.op(row) == record::Op::kDelete) continue;
    FRESHET_CHECK_OK(builder.Append(row));
    added.keys.push_back(batch.keys[static_cast<size_t>(row)]);
  }
  if (builder.length() == 0) return Status::Ok();
  FRESHET_TRY(auto indices, builder.Finish());
  arrow::ArrayVector columns;
  for (const auto& column : batch.columns) {
    FRESHET_TRY(auto taken, arrow::compute::Take(*column, *indices,
                                                 arrow::compute::TakeOptions::NoBoundsCheck()));
    columns.push_back(std::move(taken));
  }
  added.rows =
      arrow::RecordBatch::Make(table_.form->rows.schema, indices->length(), std::move(columns));
  return Write(added);
}

Status AppendPlanner::Write(const KeyedRows& rows) {
  KeyedRows unindexed{rows.rows, rows.keys};
  unindexed.unindexed.assign(rows.keys.size(), true);
  return WriteRows(unindexed).status();
}

}  // namespace freshet::apply
