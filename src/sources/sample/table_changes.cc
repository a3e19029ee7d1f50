// SPDX-License-Identifier: Apache-2.0
#include "sources/sample/table_changes.h"

#include "record/arrow_status.h"
#include "sources/sample/values.h"

namespace freshet::sources::sample {

using record::Op;

Result<std::unique_ptr<TableChanges>> TableChanges::Make(
    std::shared_ptr<const record::TableShape> shape) {
  FRESHET_TRY(auto builder, arrow::RecordBatchBuilder::Make(record::ChangeSchema(*shape->schema),
                                                            arrow::default_memory_pool()));
  return std::unique_ptr<TableChanges>(new TableChanges(std::move(shape), std::move(builder)));
}

Status TableChanges::Add(const RowChange& change, const Transaction& transaction,
                         uint64_t ordinal) {
  if (!change.key_changed())
    return AddRow(change.op, change.row, transaction, ordinal, change.op == Op::kUpdate);
  Json former = Json::object();
  Json parts = ParseJson<Json>(change.key_before);
  for (size_t i = 0; i < shape_->key.size(); ++i)
    former[shape_->schema->field(shape_->key[i])->name()] = parts[i];
  FRESHET_CHECK_OK(AddRow(Op::kDelete, former, transaction, ordinal, false));
  return AddRow(Op::kInsert, change.row, transaction, ordinal + 1, true);
}

Status TableChanges::AddRow(Op op, const Json& row, const Transaction& transaction,
                            uint64_t ordinal, bool absent_is_unsent) {
  std::string unsent(static_cast<size_t>(shape_->width() + 7) / 8, '\0');
  bool any_unsent = false;
  for (int i = 0; i < shape_->width(); ++i) {
    auto value = row.find(shape_->schema->field(i)->name());
    bool absent = value == row.end();
    if (absent && absent_is_unsent) {
      auto& byte = unsent[static_cast<size_t>(i) / 8];
      byte = static_cast<char>(static_cast<uint8_t>(byte) | (1U << (i % 8)));
      any_unsent = true;
    }
    FRESHET_CHECK_OK(AppendValue(absent ? Json() : *value, builder_->GetField(i), &nulled_));
  }
  ++rows_;
  return AddMeta(op, transaction, ordinal, any_unsent ? unsent : "");
}

Status TableChanges::AddMeta(Op op, const Transaction& transaction, uint64_t ordinal,
                             const std::string& unsent) {
  int at = shape_->width();
  auto sequence = record::Sequence::Of(0, transaction.number, ordinal);
  FRESHET_CHECK_OK(builder_->GetFieldAs<arrow::Int8Builder>(at)->Append(static_cast<int8_t>(op)));
  FRESHET_CHECK_OK(
      builder_->GetFieldAs<arrow::FixedSizeBinaryBuilder>(at + 1)->Append(sequence.view()));
  FRESHET_CHECK_OK(
      builder_->GetFieldAs<arrow::TimestampBuilder>(at + 2)->Append(transaction.committed_at));
  auto* missing = builder_->GetFieldAs<arrow::BinaryBuilder>(at + 3);
  if (unsent.empty()) return FromArrow(missing->AppendNull());
  return FromArrow(missing->Append(unsent));
}

Result<record::ChangeBatch> TableChanges::Finish() {
  FRESHET_TRY(auto batch, builder_->Flush());
  rows_ = 0;
  return record::ChangeBatch{shape_, std::move(batch)};
}

}  // namespace freshet::sources::sample
