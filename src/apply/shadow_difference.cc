// SPDX-License-Identifier: Apache-2.0
#include "apply/shadow_difference.h"

#include <arrow/array/util.h>

#include "apply/key_hash.h"
#include "apply/living_rows.h"
#include "record/arrow_status.h"

namespace freshet::apply {

Result<std::vector<FoldItem>> ShadowDifference::Next() {
  std::vector<FoldItem> items;
  while (items.empty()) {
    const auto& table = inserting_ ? then_ : now_;
    auto fields = inserting_ ? table.form->physical : table.form->IndexFields();
    FRESHET_TRY(auto rows, NextGroup(table, fields));
    if (rows == nullptr && !inserting_) return items;
    if (rows == nullptr) {
      inserting_ = listed_ = false;
    } else if (inserting_) {
      FRESHET_TRY(auto inserts, Inserts(*rows));
      items.emplace_back(std::move(inserts));
    } else {
      FRESHET_TRY(auto deletions, Deletions(*rows));
      if (deletions) items.emplace_back(std::move(*deletions));
    }
  }
  return items;
}

Result<std::shared_ptr<arrow::RecordBatch>> ShadowDifference::NextGroup(
    const IndexedTable& table, const arrow::FieldVector& fields) {
  if (!std::exchange(listed_, true)) {
    for (const auto& [path, file] : table.snapshot->files) files_.push_back(&file);
  }
  while (true) {
    if (reader_ != nullptr && group_ < reader_->row_groups()) {
      FRESHET_TRY(auto rows, reader_->Read(group_, fields));
      FRESHET_TRY(rows, LivingRows(std::move(rows), reader_->RowsOf(group_).first, dead_));
      ++group_;
      if (rows->num_rows() > 0) return rows;
      continue;
    }
    reader_.reset();
    if (files_.empty()) return std::shared_ptr<arrow::RecordBatch>();
    const auto& file = *files_.back();
    files_.pop_back();
    dead_ = {};
    if (file.deletion_vector) {
      FRESHET_TRY(dead_, delta::DeletionVector::Load(*table.store, *file.deletion_vector));
    }
    FRESHET_TRY(reader_, parquet::Reader::Open(table.store, file.path));
    group_ = 0;
  }
}

Result<FoldBatch> ShadowDifference::Inserts(const arrow::RecordBatch& rows) {
  FRESHET_TRY(auto batch, Changes(record::Op::kInsert, rows.num_rows()));
  const auto& ids = then_.form->rows.ids;
  for (size_t i = 0; i < now_.form->rows.width(); ++i) {
    auto found = std::ranges::find(ids, now_.form->rows.ids[i]);
    if (found != ids.end()) {
      batch.columns.push_back(rows.column(static_cast<int>(found - ids.begin())));
      continue;
    }
    FRESHET_TRY(auto nulls,
                arrow::MakeArrayOfNull(now_.form->physical[i]->type(), rows.num_rows()));
    batch.columns.push_back(std::move(nulls));
  }
  arrow::ArrayVector key;
  for (int ordinal : now_.form->rows.key)
    key.push_back(batch.columns[static_cast<size_t>(ordinal)]);
  batch.keys = HashKeys(key, rows.num_rows());
  batch.ordinals.assign(now_.form->rows.width(), -1);
  return batch;
}

/// The rows in force whose keys the new state lacks.
Result<std::optional<FoldBatch>> ShadowDifference::Deletions(const arrow::RecordBatch& rows) {
  if (then_rows_ == nullptr) {
    FRESHET_CHECK_OK(then_paths_.Follow(*then_.snapshot));
    then_rows_ = std::make_unique<LiveRows>(then_.store, then_.snapshot, &then_paths_);
  }
  auto columns = rows.columns();
  columns.resize(now_.form->rows.key.size());
  const auto hashes = HashKeys(columns, rows.num_rows());
  std::vector<KeyHash> keys;
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    if (now_.form->Indexed(rows, row)) keys.push_back(hashes[static_cast<size_t>(row)]);
  }
  FRESHET_TRY(const auto found, index_->Find(then_.index, /*keyless=*/false, keys));
  std::vector<KeyHash> lacking;
  for (size_t i = 0; i < keys.size(); ++i) {
    bool there = false;
    for (const auto& address : found[i]) {
      FRESHET_TRY(const auto* file, then_rows_->Find(address));
      there = there || file != nullptr;
    }
    if (!there) lacking.push_back(keys[i]);
  }
  if (lacking.empty()) return std::optional<FoldBatch>();
  FRESHET_TRY(auto batch, Changes(record::Op::kDelete, std::ssize(lacking)));
  batch.keys = std::move(lacking);
  return std::optional(std::move(batch));
}

/// Rows of no column but those that every change has.
Result<FoldBatch> ShadowDifference::Changes(record::Op op, int64_t rows) const {
  const arrow::Int8Scalar of_op(static_cast<int8_t>(op));
  const arrow::FixedSizeBinaryScalar of_sequence(std::string(24, '\0'));
  const arrow::TimestampScalar of_time(at_, arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"));
  FRESHET_TRY(auto ops, arrow::MakeArrayFromScalar(of_op, rows));
  FRESHET_TRY(auto sequences, arrow::MakeArrayFromScalar(of_sequence, rows));
  FRESHET_TRY(auto times, arrow::MakeArrayFromScalar(of_time, rows));
  FRESHET_TRY(auto missing, arrow::MakeArrayOfNull(arrow::binary(), rows));
  FoldBatch batch;
  batch.changes = arrow::RecordBatch::Make(record::ChangeSchema(*arrow::schema({})), rows,
                                           {ops, sequences, times, missing});
  return batch;
}

}  // namespace freshet::apply
