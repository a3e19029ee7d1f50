// SPDX-License-Identifier: Apache-2.0
#include "apply/data_writer.h"

#include <arrow/array/util.h>

#include "apply/key_hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "delta/stats.h"
#include "record/arrow_status.h"

namespace freshet::apply {

Result<RowAddress> DataWriter::Write(const std::shared_ptr<arrow::RecordBatch>& rows,
                                     const RowIds& ids) {
  if (encoder_ == nullptr) FRESHET_CHECK_OK(Begin());
  const RowAddress first{path_hash_, static_cast<uint32_t>(encoder_->rows())};
  if (form_.row_ids) {
    FRESHET_TRY(const auto with_ids, WithIds(rows, ids));
    FRESHET_CHECK_OK(encoder_->Write(with_ids));
  } else {
    FRESHET_CHECK_OK(encoder_->Write(rows));
  }
  rows_ += rows->num_rows();
  if (encoder_->bytes() >= static_cast<int64_t>(limits::kSnapshotPartBytesMax))
    FRESHET_CHECK_OK(FinishFile());
  return first;
}

Status DataWriter::Begin() {
  std::vector<std::string> names;
  for (const auto& column : form_.columns) names.push_back(column.physical);
  auto column_ids = form_.rows.ids;
  schema_ = form_.rows.schema;
  if (form_.row_ids) {
    auto fields = schema_->fields();
    for (const auto& field : form_.row_ids->Fields()) {
      fields.push_back(field);
      names.push_back(field->name());
      column_ids.emplace_back(0);
    }
    schema_ = arrow::schema(std::move(fields));
  }
  FRESHET_TRY(encoder_, parquet::Encoder::Make(schema_, std::move(names), std::move(column_ids)));
  path_ = fmt::format("part-{}.parquet", RandomUuid());
  path_hash_ = HashPath(path_);
  return Status::Ok();
}

Result<std::shared_ptr<arrow::RecordBatch>> DataWriter::WithIds(
    const std::shared_ptr<arrow::RecordBatch>& rows, const RowIds& ids) const {
  auto columns = rows->columns();
  for (const auto& given : {ids.ids, ids.versions}) {
    if (given != nullptr) {
      columns.push_back(given);
      continue;
    }
    FRESHET_TRY(auto nulls, arrow::MakeArrayOfNull(arrow::int64(), rows->num_rows()));
    columns.push_back(std::move(nulls));
  }
  return arrow::RecordBatch::Make(schema_, rows->num_rows(), std::move(columns));
}

Status DataWriter::FinishFile() {
  if (encoder_ == nullptr) return Status::Ok();
  FRESHET_TRY(auto file, encoder_->Finish());
  encoder_ = nullptr;
  paths_.push_back(path_);
  FRESHET_CHECK_OK(table_->Put(path_, std::string_view(*file.bytes), store::If::kAbsent));
  delta::AddFile add;
  add.path = path_;
  add.bytes = file.bytes->size();
  add.modified_at_ms = now_ms_;
  add.stats_json = delta::StatsJson(file.statistics, form_.columns, /*tight_bounds=*/true);
  files_.push_back(std::move(add));
  return Status::Ok();
}

Result<std::vector<delta::AddFile>> DataWriter::Finish() {
  FRESHET_CHECK_OK(FinishFile());
  return std::exchange(files_, {});
}

void DataWriter::Discard() {
  for (const auto& path : paths_) {
    Status removed = table_->Remove(path);
    if (!removed.ok()) spdlog::warn("a file of a lost commit stays: {}", removed.ToString());
  }
  files_.clear();
  paths_.clear();
}

}  // namespace freshet::apply
