// SPDX-License-Identifier: Apache-2.0
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/util/key_value_metadata.h>

#include <charconv>
#include <map>

#include "apply/fold.h"
#include "apply/key_hash.h"
#include "record/arrow_status.h"

namespace freshet::apply {
namespace {

Result<std::shared_ptr<arrow::Array>> Take(const std::shared_ptr<arrow::Array>& values,
                                           const std::shared_ptr<arrow::Array>& indices) {
  FRESHET_TRY(auto taken, arrow::compute::Take(*values, *indices,
                                               arrow::compute::TakeOptions::NoBoundsCheck()));
  return taken;
}

Result<std::shared_ptr<arrow::Array>> IndicesOf(std::span<const int64_t> rows) {
  arrow::Int64Builder builder;
  FRESHET_CHECK_OK(builder.AppendValues(rows.data(), static_cast<int64_t>(rows.size())));
  FRESHET_TRY(auto array, builder.Finish());
  return array;
}

/// The id that staging wrote beside a field's name; 0: one of our own four columns.
record::ColumnId ColumnIdOf(const arrow::Field& field) {
  int32_t id = 0;
  if (field.metadata() != nullptr) {
    auto text = field.metadata()->Get("PARQUET:field_id");
    if (text.ok()) std::from_chars(text->data(), text->data() + text->size(), id);
  }
  return record::ColumnId(id);
}

bool Contiguous(std::span<const int64_t> rows) {
  for (size_t i = 1; i < rows.size(); ++i) {
    if (rows[i] != rows[i - 1] + 1) return false;
  }
  return true;
}

}  // namespace

Result<FoldBatch> Project(const RowForm& form, std::shared_ptr<arrow::RecordBatch> changes) {
  FoldBatch batch;
  batch.changes = std::move(changes);
  int width = record::ChangeView(batch.changes).width();
  std::map<record::ColumnId, int> sent;
  for (int i = 0; i < width; ++i) sent[ColumnIdOf(*batch.changes->schema()->field(i))] = i;
  for (size_t i = 0; i < form.width(); ++i) {
    const auto& type = form.schema->field(static_cast<int>(i))->type();
    auto found = sent.find(form.ids[i]);
    if (found == sent.end()) {
      FRESHET_TRY(auto nulls, arrow::MakeArrayOfNull(type, batch.rows()));
      batch.columns.push_back(std::move(nulls));
      batch.ordinals.push_back(-1);
      continue;
    }
    auto column = batch.changes->column(found->second);
    if (!column->type()->Equals(type)) {
      return Error(ErrorClass::SHAPE_CHANGE_UNSUPPORTED,
                   "column {} comes as {} and the table holds {}",
                   form.schema->field(static_cast<int>(i))->name(), column->type()->ToString(),
                   type->ToString());
    }
    batch.columns.push_back(std::move(column));
    batch.ordinals.push_back(found->second);
    sent.erase(found);
  }
  if (!sent.empty()) {
    return Error(ErrorClass::SHAPE_CHANGE_UNSUPPORTED, "the table lacks the column {}",
                 batch.changes->schema()->field(sent.begin()->second)->name());
  }
  if (form.keyless()) {
    batch.keys = HashContents(batch.columns, form.ids, batch.rows());
  } else {
    arrow::ArrayVector key;
    for (int ordinal : form.key) key.push_back(batch.columns[static_cast<size_t>(ordinal)]);
    batch.keys = HashKeys(key, batch.rows());
  }
  return batch;
}

Result<FoldBatch> Select(const FoldBatch& batch, std::span<const int64_t> rows) {
  FoldBatch selected;
  selected.ordinals = batch.ordinals;
  FRESHET_TRY(auto indices, IndicesOf(rows));
  arrow::ArrayVector taken;
  for (const auto& column : batch.changes->columns()) {
    FRESHET_TRY(auto array, Take(column, indices));
    taken.push_back(std::move(array));
  }
  auto count = static_cast<int64_t>(rows.size());
  selected.changes = arrow::RecordBatch::Make(batch.changes->schema(), count, taken);
  for (size_t i = 0; i < batch.columns.size(); ++i) {
    int ordinal = batch.ordinals[i];
    selected.columns.push_back(ordinal >= 0 ? taken[static_cast<size_t>(ordinal)]
                                            : batch.columns[i]->Slice(0, count));
  }
  for (int64_t row : rows) selected.keys.push_back(batch.keys[static_cast<size_t>(row)]);
  return selected;
}

PutReader::PutReader(const RowForm& form, std::span<const FoldItem> items, const Folded& folded,
                     arrow::ArrayVector recovered, int64_t rows_max)
    : form_(form), folded_(folded), recovered_(std::move(recovered)), rows_max_(rows_max) {
  for (const auto& item : items) {
    if (const auto* batch = std::get_if<FoldBatch>(&item)) batches_.push_back(batch);
  }
}

Result<KeyedRows> PutReader::Next() {
  const auto& puts = folded_.puts;
  while (next_ < puts.size() && puts[next_].patch >= 0) ++next_;
  if (next_ == puts.size()) {
    if (patched_done_) return KeyedRows{};
    patched_done_ = true;
    return TakePatched();
  }
  size_t first = next_;
  int64_t rows = 0;
  while (next_ < puts.size() && puts[next_].from.batch == puts[first].from.batch &&
         rows < rows_max_) {
    if (puts[next_].patch < 0) rows += puts[next_].copies;
    ++next_;
  }
  return TakeFrom(puts[first].from.batch, std::span(puts).subspan(first, next_ - first));
}

Result<KeyedRows> PutReader::TakeFrom(uint32_t batch, std::span<const Folded::Put> puts) {
  KeyedRows result;
  std::vector<int64_t> rows;
  for (const auto& put : puts) {
    if (put.patch >= 0) continue;
    rows.insert(rows.end(), static_cast<size_t>(put.copies), put.from.row);
    result.keys.insert(result.keys.end(), static_cast<size_t>(put.copies), put.key);
  }
  auto count = static_cast<int64_t>(rows.size());
  arrow::ArrayVector columns;
  if (Contiguous(rows)) {
    for (const auto& column : batches_[batch]->columns) {
      columns.push_back(column->Slice(rows.front(), count));
    }
  } else {
    FRESHET_TRY(auto indices, IndicesOf(rows));
    for (const auto& column : batches_[batch]->columns) {
      FRESHET_TRY(auto taken, Take(column, indices));
      columns.push_back(std::move(taken));
    }
  }
  result.rows = arrow::RecordBatch::Make(form_.schema, count, std::move(columns));
  return result;
}

Result<KeyedRows> PutReader::TakePatched() {
  KeyedRows result;
  std::vector<int32_t> patches;
  for (const auto& put : folded_.puts) {
    if (put.patch < 0) continue;
    patches.push_back(put.patch);
    result.keys.push_back(put.key);
  }
  if (patches.empty()) return result;
  std::vector<int64_t> offsets;  // of each batch's rows when all are put one after the other
  int64_t total = 0;
  for (const auto* batch : batches_) {
    offsets.push_back(total);
    total += batch->rows();
  }
  arrow::ArrayVector columns;
  std::vector<int64_t> rows(patches.size());
  for (size_t column = 0; column < form_.width(); ++column) {
    arrow::ArrayVector pieces;
    for (const auto* batch : batches_) pieces.push_back(batch->columns[column]);
    if (folded_.wanted_columns[column]) pieces.push_back(recovered_[column]);
    for (size_t i = 0; i < patches.size(); ++i) {
      RowRef ref = folded_.patches[static_cast<size_t>(patches[i]) * form_.width() + column];
      rows[i] = (ref.batch == RowRef::kInTable ? total : offsets[ref.batch]) + ref.row;
    }
    FRESHET_TRY(auto whole, arrow::Concatenate(pieces));
    FRESHET_TRY(auto indices, IndicesOf(rows));
    FRESHET_TRY(auto taken, Take(whole, indices));
    columns.push_back(std::move(taken));
  }
  result.rows = arrow::RecordBatch::Make(form_.schema, static_cast<int64_t>(patches.size()),
                                         std::move(columns));
  return result;
}

}  // namespace freshet::apply
