// SPDX-License-Identifier: Apache-2.0
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/cast.h>
#include <arrow/util/key_value_metadata.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "apply/fold.h"
#include "apply/key_hash.h"
#include "record/arrow_status.h"
#include "record/widening.h"

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
    if (record::IsWidening(*column->type(), *type)) {
      FRESHET_TRY(column, arrow::compute::Cast(*column, type));
    }
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

PutReader::PutReader(const RowForm& form, std::span<const FoldItem> items, const Folded& folded,
                     int64_t rows_max)
    : form_(form), folded_(folded), rows_max_(rows_max) {
  for (const auto& item : items) {
    if (const auto* batch = std::get_if<FoldBatch>(&item)) batches_.push_back(batch);
  }
}

Result<KeyedRows> PutReader::Next() {
  const auto& puts = folded_.puts;
  while (next_ < puts.size() && puts[next_].patch >= 0) ++next_;
  if (next_ == puts.size()) return KeyedRows{};
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
    result.states.insert(result.states.end(), static_cast<size_t>(put.copies), put.state);
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

Result<KeyedRows> PutReader::Patched(std::span<const Folded::Put> puts,
                                     const arrow::ArrayVector& former) {
  KeyedRows result;
  for (const auto& put : puts) {
    result.keys.push_back(put.key);
    result.states.push_back(put.state);
  }
  arrow::ArrayVector columns;
  for (size_t column = 0; column < form_.width(); ++column) {
    FRESHET_TRY(auto values, PatchedColumn(column, puts, former[column]));
    columns.push_back(std::move(values));
  }
  result.rows =
      arrow::RecordBatch::Make(form_.schema, static_cast<int64_t>(puts.size()), std::move(columns));
  return result;
}

/// Take from each batch what it gives, then put that in the order of the puts.
Result<std::shared_ptr<arrow::Array>> PutReader::PatchedColumn(
    size_t column, std::span<const Folded::Put> puts, const std::shared_ptr<arrow::Array>& former) {
  std::vector<std::pair<RowRef, int64_t>> places;  // where a value lies, and of which put it is
  for (size_t i = 0; i < puts.size(); ++i) {
    RowRef ref = folded_.patches[static_cast<size_t>(puts[i].patch) * form_.width() + column];
    if (ref.batch == RowRef::kInTable) ref.row = static_cast<uint32_t>(i);
    places.emplace_back(ref, static_cast<int64_t>(i));
  }
  std::sort(places.begin(), places.end());
  arrow::ArrayVector pieces;
  std::vector<int64_t> order(puts.size());
  std::vector<int64_t> rows;
  for (size_t i = 0; i < places.size(); ++i) {
    const RowRef& ref = places[i].first;
    order[static_cast<size_t>(places[i].second)] = static_cast<int64_t>(i);
    rows.push_back(ref.row);
    if (i + 1 < places.size() && places[i + 1].first.batch == ref.batch) continue;
    const auto& values =
        ref.batch == RowRef::kInTable ? former : batches_[ref.batch]->columns[column];
    FRESHET_TRY(auto indices, IndicesOf(rows));
    FRESHET_TRY(auto taken, Take(values, indices));
    pieces.push_back(std::move(taken));
    rows.clear();
  }
  FRESHET_TRY(auto whole, arrow::Concatenate(pieces));
  FRESHET_TRY(auto indices, IndicesOf(order));
  return Take(whole, indices);
}

}  // namespace freshet::apply
