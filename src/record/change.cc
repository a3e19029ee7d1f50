// SPDX-License-Identifier: Apache-2.0
#include "record/change.h"

namespace freshet::record {

std::shared_ptr<arrow::Schema> ChangeSchema(const arrow::Schema& columns) {
  arrow::FieldVector fields = columns.fields();
  fields.push_back(arrow::field(std::string(kOpColumn), arrow::int8(), /*nullable=*/false));
  fields.push_back(
      arrow::field(std::string(kSequenceColumn), arrow::fixed_size_binary(24), /*nullable=*/false));
  fields.push_back(arrow::field(std::string(kCommittedAtColumn),
                                arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                /*nullable=*/false));
  fields.push_back(arrow::field(std::string(kMissingColumn), arrow::binary()));
  return arrow::schema(std::move(fields));
}

ChangeView::ChangeView(std::shared_ptr<arrow::RecordBatch> rows) : rows_(std::move(rows)) {
  FRESHET_ASSERT(rows_->num_columns() >= 4);
  int first = width();
  FRESHET_ASSERT(rows_->column(first)->type_id() == arrow::Type::INT8);
  FRESHET_ASSERT(rows_->column(first + 1)->type_id() == arrow::Type::FIXED_SIZE_BINARY);
  FRESHET_ASSERT(rows_->column(first + 2)->type_id() == arrow::Type::TIMESTAMP);
  FRESHET_ASSERT(rows_->column(first + 3)->type_id() == arrow::Type::BINARY);
  op_ = static_cast<const arrow::Int8Array*>(rows_->column(first).get());
  sequence_ = static_cast<const arrow::FixedSizeBinaryArray*>(rows_->column(first + 1).get());
  committed_at_ = static_cast<const arrow::TimestampArray*>(rows_->column(first + 2).get());
  missing_ = static_cast<const arrow::BinaryArray*>(rows_->column(first + 3).get());
}

Sequence ChangeView::sequence(int64_t row) const {
  return Sequence::FromBytes(sequence_->GetView(row));
}

bool ChangeView::missing(int64_t row, int column) const {
  if (missing_->IsNull(row)) return false;
  std::string_view bits = missing_->GetView(row);
  auto byte = static_cast<size_t>(column) / 8;
  return byte < bits.size() && ((static_cast<unsigned char>(bits[byte]) >> (column % 8)) & 1) != 0;
}

}  // namespace freshet::record
