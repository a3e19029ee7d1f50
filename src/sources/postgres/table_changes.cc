// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/table_changes.h"

#include "record/arrow_status.h"

namespace freshet::sources::postgres {
namespace {

constexpr int64_t kReserveRows = 64;
/// What a row takes besides its values: op, sequence, time, offsets.
constexpr size_t kRowBytes = 48;

}  // namespace

RowLayout::RowLayout(int shape_width, const std::vector<int>& ordinals, bool whole_old)
    : places(static_cast<size_t>(shape_width), -1),
      width_sent(ordinals.size()),
      whole_old_rows(whole_old) {
  for (size_t i = 0; i < ordinals.size(); ++i) {
    if (ordinals[i] >= 0) places[static_cast<size_t>(ordinals[i])] = static_cast<int>(i);
  }
}

TableChanges::TableChanges(std::shared_ptr<const record::TableShape> shape)
    : shape_(std::move(shape)),
      schema_(record::ChangeSchema(*shape_->schema)),
      is_key_(static_cast<size_t>(shape_->width()), false),
      missing_bits_(static_cast<size_t>(shape_->width() + 7) / 8, '\0') {
  for (int ordinal : shape_->key) is_key_[static_cast<size_t>(ordinal)] = true;
  columns_.reserve(is_key_.size());
  for (const auto& field : shape_->schema->fields())
    columns_.emplace_back(TextTypeOf(*field->type()));
}

Status TableChanges::Add(char tag, const RowMessage& row, const RowLayout& layout,
                         const Stamp& stamp) {
  FRESHET_CHECK_OK(Reserve());
  if (row.old_kind != 0) FRESHET_CHECK_OK(CheckTuple(row.before, layout));
  if (tag != 'D') FRESHET_CHECK_OK(CheckTuple(row.after, layout));
  if (tag == 'I')
    return AddInsert(row, layout, stamp.first, record::Op::kInsert, stamp.committed_at);
  bool needs_old = tag == 'D' || shape_->keyless();
  if (needs_old && row.old_kind != (shape_->keyless()   ? 'O'
                                    : row.old_kind == 0 ? 'K'
                                                        : row.old_kind)) {
    return Error(ErrorClass::KEY_CHANGED, "the source no longer sends the old row");
  }
  if (tag == 'D') return AddDelete(row.before, layout, stamp.first, stamp.committed_at);
  if (shape_->keyless() || KeyChanged(row, layout)) {
    FRESHET_CHECK_OK(AddDelete(row.before, layout, stamp.first, stamp.committed_at));
    return AddInsert(row, layout, stamp.second, record::Op::kInsert, stamp.committed_at);
  }
  return AddInsert(row, layout, stamp.first, record::Op::kUpdate, stamp.committed_at);
}

/// The old key is also sent when it did not change, if a value of it is stored out of line.
/// Source: PostgreSQL 15, src/backend/access/heap/heapam.c, HeapDetermineColumnsInfo.
bool TableChanges::KeyChanged(const RowMessage& row, const RowLayout& layout) const {
  if (row.old_kind == 0) return false;
  for (int ordinal : shape_->key) {
    auto place = static_cast<size_t>(layout.places[static_cast<size_t>(ordinal)]);
    const TupleColumn& before = row.before[place];
    const TupleColumn& after = row.after[place];
    if (after.kind != 'u' && (before.kind != after.kind || before.text != after.text)) return true;
  }
  return false;
}

Status TableChanges::CheckTuple(const Tuple& tuple, const RowLayout& layout) {
  if (tuple.size() == layout.width_sent) return Status::Ok();
  return Error(ErrorClass::SOURCE_PROTOCOL, "a row has {} columns, its table {}", tuple.size(),
               layout.width_sent);
}

Status TableChanges::Reserve() {
  // A change is one row or two.
  if (rows_ + 2 <= reserved_) return Status::Ok();
  int64_t more = std::max(kReserveRows, reserved_);
  for (auto& column : columns_) FRESHET_CHECK_OK(column.Reserve(more));
  FRESHET_CHECK_OK(op_.Reserve(more));
  FRESHET_CHECK_OK(sequence_.Reserve(more));
  FRESHET_CHECK_OK(committed_at_.Reserve(more));
  FRESHET_CHECK_OK(missing_.Reserve(more));
  reserved_ += more;
  return Status::Ok();
}

Status TableChanges::AddValue(int ordinal, const TupleColumn& value) {
  ColumnDecoder& column = columns_[static_cast<size_t>(ordinal)];
  if (value.kind != 't') {
    column.AppendNull();
    return Status::Ok();
  }
  bytes_ += value.text.size() + 8;
  if (column.AppendText(value.text)) return Status::Ok();
  if (HasFields(*shape_->schema->field(ordinal)->type())) {
    // A composite that is altered is not announced: its values come in other fields all at once.
    return Error(ErrorClass::SHAPE_CHANGE_UNSUPPORTED,
                 "a value has other fields than its column's type had: {}",
                 shape_->schema->field(ordinal)->name());
  }
  return Error(ErrorClass::SOURCE_PROTOCOL, "not a value of its column's type: column {}",
               shape_->schema->field(ordinal)->name());
}

Status TableChanges::AddInsert(const RowMessage& row, const RowLayout& layout,
                               const record::Sequence& sequence, record::Op op,
                               UtcMicros committed_at) {
  static const TupleColumn kNull;
  bool missing = false;
  for (int ordinal = 0; ordinal < shape_->width(); ++ordinal) {
    int place = layout.places[static_cast<size_t>(ordinal)];
    const TupleColumn* value = place < 0 ? &kNull : &row.after[static_cast<size_t>(place)];
    bool old_has_it = (row.old_kind == 'O' && layout.whole_old_rows) ||
                      (row.old_kind != 0 && is_key_[static_cast<size_t>(ordinal)]);
    if (value->kind == 'u' && old_has_it) value = &row.before[static_cast<size_t>(place)];
    if (value->kind == 'u') {
      if (shape_->keyless() || is_key_[static_cast<size_t>(ordinal)]) {
        return Error(ErrorClass::VALUE_NOT_SENT, "the source did not send the value of column {}",
                     shape_->schema->field(ordinal)->name());
      }
      if (!missing) std::fill(missing_bits_.begin(), missing_bits_.end(), '\0');
      missing = true;
      auto byte = static_cast<size_t>(ordinal) / 8;
      missing_bits_[byte] = static_cast<char>(missing_bits_[byte] | 1 << (ordinal % 8));
    }
    FRESHET_CHECK_OK(AddValue(ordinal, *value));
  }
  return AddMark(op, sequence, committed_at, missing);
}

Status TableChanges::AddDelete(const Tuple& before, const RowLayout& layout,
                               const record::Sequence& sequence, UtcMicros committed_at) {
  static const TupleColumn kNull;
  for (int ordinal = 0; ordinal < shape_->width(); ++ordinal) {
    int place = layout.places[static_cast<size_t>(ordinal)];
    bool wanted = place >= 0 && (shape_->keyless() || is_key_[static_cast<size_t>(ordinal)]);
    FRESHET_CHECK_OK(AddValue(ordinal, wanted ? before[static_cast<size_t>(place)] : kNull));
  }
  return AddMark(record::Op::kDelete, sequence, committed_at, /*missing=*/false);
}

Status TableChanges::AddMark(record::Op op, const record::Sequence& sequence,
                             UtcMicros committed_at, bool missing) {
  op_.UnsafeAppend(static_cast<int8_t>(op));
  sequence_.UnsafeAppend(sequence.view());
  committed_at_.UnsafeAppend(committed_at);
  if (missing) {
    FRESHET_CHECK_OK(missing_.Append(missing_bits_));
  } else {
    FRESHET_CHECK_OK(missing_.AppendNull());
  }
  ++rows_;
  bytes_ += kRowBytes;
  return Status::Ok();
}

Result<record::ChangeBatch> TableChanges::Finish() {
  arrow::ArrayVector arrays;
  for (auto& column : columns_) {
    FRESHET_TRY(auto array, column.Finish());
    arrays.push_back(std::move(array));
  }
  std::shared_ptr<arrow::Array> array;
  for (arrow::ArrayBuilder* builder :
       {static_cast<arrow::ArrayBuilder*>(&op_), static_cast<arrow::ArrayBuilder*>(&sequence_),
        static_cast<arrow::ArrayBuilder*>(&committed_at_),
        static_cast<arrow::ArrayBuilder*>(&missing_)}) {
    FRESHET_CHECK_OK(builder->Finish(&array));
    arrays.push_back(array);
  }
  record::ChangeBatch batch{shape_, arrow::RecordBatch::Make(schema_, rows_, std::move(arrays))};
  rows_ = 0;
  reserved_ = 0;
  bytes_ = 0;
  return batch;
}

int64_t TableChanges::values_nulled() const {
  int64_t sum = 0;
  for (const auto& column : columns_) sum += column.values_nulled();
  return sum;
}

}  // namespace freshet::sources::postgres
