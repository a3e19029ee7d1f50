// SPDX-License-Identifier: Apache-2.0
#include "apply/column_fill.h"

#include <arrow/array/util.h>
#include <arrow/compute/cast.h>
#include <arrow/scalar.h>

#include <algorithm>

#include "apply/history_form.h"
#include "apply/key_hash.h"
#include "base/limits.h"
#include "record/arrow_status.h"
#include "record/widening.h"

namespace freshet::apply {
namespace {

/// A bit for each column that the reading does not have; what is the history's own is not anybody's
/// to send.
std::string MissingBits(const RowForm& form, const std::vector<int>& places) {
  std::string bits((places.size() + 7) / 8, '\0');
  for (size_t i = 0; i < places.size(); ++i) {
    const auto& id = form.ids[i];
    if (places[i] >= 0 || id == kStartId || id == kEndId || id == kDeletedId) continue;
    bits[i / 8] = static_cast<char>(bits[i / 8] | 1 << (i % 8));
  }
  return bits;
}

}  // namespace

ColumnFill::ColumnFill(staging::StagingReader* staging, const RowForm& form,
                       const StagedChanges& changes, record::Sequence position,
                       size_t fold_bytes_max, Reading reading)
    : form_(form),
      reading_(std::move(reading)),
      before_(staging, form, changes, position, fold_bytes_max, reading_.position),
      after_(staging, form, changes, std::max(position, reading_.position), fold_bytes_max),
      places_(form.width(), -1) {
  for (size_t i = 0; i < form.width(); ++i) {
    const auto& id = form.ids[i];
    const bool is_key = std::ranges::find(form.key, static_cast<int>(i)) != form.key.end();
    const auto at = std::ranges::find(reading_.shape.ids, id);
    if (at == reading_.shape.ids.end()) continue;
    if (!is_key && std::ranges::find(reading_.ids, id) == reading_.ids.end()) continue;
    places_[i] = static_cast<int>(fields_.size());
    fields_.push_back(
        reading_.shape.schema->field(static_cast<int>(at - reading_.shape.ids.begin())));
  }
}

Result<std::vector<FoldItem>> ColumnFill::Next() {
  std::vector<FoldItem> items;
  goes_on_ = false;
  if (stage_ == Stage::kBefore) {
    FRESHET_TRY(items, before_.Next());
    goes_on_ = before_.goes_on();
    if (!items.empty()) return items;
    stage_ = Stage::kReading;
  }
  if (stage_ == Stage::kReading) {
    FRESHET_TRY(auto rows, NextRows());
    if (rows != nullptr) {
      FRESHET_TRY(auto updates, Updates(*rows));
      items.emplace_back(std::move(updates));
      return items;
    }
    stage_ = Stage::kAfter;
  }
  FRESHET_TRY(items, after_.Next());
  goes_on_ = after_.goes_on();
  return items;
}

/// The next of what was read; null at the end.
Result<std::shared_ptr<arrow::RecordBatch>> ColumnFill::NextRows() {
  while (rest_ == nullptr || rest_->num_rows() == 0) {
    if (part_ != nullptr && next_group_ < part_->row_groups()) {
      FRESHET_TRY(rest_, part_->Read(next_group_++, fields_));
      continue;
    }
    if (next_part_ == reading_.parts.size()) return std::shared_ptr<arrow::RecordBatch>();
    const auto& part = reading_.parts[next_part_++];
    auto opened = parquet::Reader::Open(reading_.staging, part.path);
    if (opened.status().Is(ErrorClass::NOT_FOUND)) {
      return Error(ErrorClass::STAGING_EXPIRED, "a snapshot part is no longer in staging: {}",
                   part.path);
    }
    FRESHET_TRY(part_, std::move(opened));
    next_group_ = 0;
  }
  auto rows = rest_->Slice(0, limits::kApplyRowsMax);
  rest_ = rest_->Slice(rows->num_rows());
  return rows;
}

/// The rows as updates that send the key and these columns alone.
Result<FoldBatch> ColumnFill::Updates(const arrow::RecordBatch& rows) const {
  const int64_t count = rows.num_rows();
  FoldBatch batch;
  batch.is_reading = true;
  for (size_t i = 0; i < places_.size(); ++i) {
    const auto& type = form_.schema->field(static_cast<int>(i))->type();
    batch.ordinals.push_back(static_cast<int>(i));
    if (places_[i] < 0) {
      FRESHET_TRY(auto nulls, arrow::MakeArrayOfNull(type, count));
      batch.columns.push_back(std::move(nulls));
      continue;
    }
    auto column = rows.column(places_[i]);
    if (record::IsWidening(*column->type(), *type)) {
      FRESHET_TRY(column, arrow::compute::Cast(*column, type));
    }
    if (!column->type()->Equals(type)) {
      return Error(ErrorClass::SHAPE_CHANGE_UNSUPPORTED,
                   "column {} was read as {} and the table holds {}",
                   form_.schema->field(static_cast<int>(i))->name(), column->type()->ToString(),
                   type->ToString());
    }
    batch.columns.push_back(std::move(column));
  }
  arrow::ArrayVector key;
  for (int ordinal : form_.key) key.push_back(batch.columns[static_cast<size_t>(ordinal)]);
  batch.keys = HashKeys(key, count);
  const arrow::Int8Scalar of_op(static_cast<int8_t>(record::Op::kUpdate));
  const arrow::FixedSizeBinaryScalar of_sequence(std::string(reading_.position.view()));
  const arrow::TimestampScalar of_time(reading_.taken_at,
                                       arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"));
  const arrow::BinaryScalar of_missing(MissingBits(form_, places_));
  auto columns = batch.columns;
  for (const arrow::Scalar* scalar :
       {static_cast<const arrow::Scalar*>(&of_op), static_cast<const arrow::Scalar*>(&of_sequence),
        static_cast<const arrow::Scalar*>(&of_time),
        static_cast<const arrow::Scalar*>(&of_missing)}) {
    FRESHET_TRY(auto array, arrow::MakeArrayFromScalar(*scalar, count));
    columns.push_back(std::move(array));
  }
  batch.changes =
      arrow::RecordBatch::Make(record::ChangeSchema(*form_.schema), count, std::move(columns));
  return batch;
}

}  // namespace freshet::apply
