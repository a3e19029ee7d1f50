// SPDX-License-Identifier: Apache-2.0
#include "apply/append_plan.h"

#include "apply/living_rows.h"
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
  arrow::Int64Builder ordinals;
  KeyedRows added;
  for (int64_t row = 0; row < view.size(); ++row) {
    if (view.op(row) == record::Op::kDelete) continue;
    FRESHET_CHECK_OK(ordinals.Append(row));
    added.keys.push_back(batch.keys[static_cast<size_t>(row)]);
  }
  const int64_t count = ordinals.length();
  if (count == 0) return Status::Ok();
  FRESHET_TRY(auto columns, ValuesAt(batch.columns, &ordinals));
  added.rows = arrow::RecordBatch::Make(table_.form->rows.schema, count, std::move(columns));
  return Write(added);
}

Status AppendPlanner::Write(const KeyedRows& rows) {
  KeyedRows unindexed{rows.rows, rows.keys};
  unindexed.unindexed.assign(rows.keys.size(), true);
  return WriteRows(unindexed, false).status();
}

}  // namespace freshet::apply
