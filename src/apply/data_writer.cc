// SPDX-License-Identifier: Apache-2.0
#include "apply/data_writer.h"

#include "apply/key_hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "delta/stats.h"

namespace freshet::apply {

Result<RowAddress> DataWriter::Write(const std::shared_ptr<arrow::RecordBatch>& rows) {
  if (encoder_ == nullptr) {
    std::vector<std::string> names;
    for (const auto& column : form_.columns) names.push_back(column.physical);
    FRESHET_TRY(encoder_,
                parquet::Encoder::Make(form_.rows.schema, std::move(names), form_.rows.ids));
    path_ = fmt::format("part-{}.parquet", RandomUuid());
    path_hash_ = HashPath(path_);
  }
  const RowAddress first{path_hash_, static_cast<uint32_t>(encoder_->rows())};
  FRESHET_CHECK_OK(encoder_->Write(rows));
  rows_ += rows->num_rows();
  if (encoder_->bytes() >= static_cast<int64_t>(limits::kSnapshotPartBytesMax))
    FRESHET_CHECK_OK(FinishFile());
  return first;
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
