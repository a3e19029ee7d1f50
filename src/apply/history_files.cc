// SPDX-License-Identifier: Apache-2.0
#include "apply/history_files.h"

#include "apply/live_rows.h"
#include "apply/living_rows.h"
#include "parquet/reader.h"
#include "record/arrow_status.h"

namespace freshet::apply {
namespace {

Result<std::shared_ptr<arrow::RecordBatch>> Begun(const arrow::RecordBatch& rows, UtcMicros began,
                                                  const TableForm& form) {
  std::vector<Moment> starts(static_cast<size_t>(rows.num_rows()));
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    auto& start = starts[static_cast<size_t>(row)];
    for (int column : form.history.sequence) AppendMoment(*rows.column(column), row, &start);
    if (form.history.sequence.empty()) start = MomentOf(began);
  }
  auto columns = rows.columns();
  const auto at = static_cast<size_t>(form.history.start);
  FRESHET_TRY(columns[at], ValuesOf(starts, form.columns[at].type));
  return arrow::RecordBatch::Make(form.rows.schema, rows.num_rows(), std::move(columns));
}

}  // namespace

Status WriteAsVersions(const std::shared_ptr<store::FileStore>& store, const std::string& path,
                       const delta::DeletionVector& dead, UtcMicros began, const TableForm& form,
                       const std::stop_token& stop, DataWriter* writer) {
  FRESHET_TRY(auto reader, parquet::Reader::Open(store, path));
  for (int group = 0; group < reader->row_groups(); ++group) {
    if (stop.stop_requested()) return Error(ErrorClass::CANCELLED, "apply was stopped");
    FRESHET_TRY(auto rows, reader->Read(group, form.physical));
    FRESHET_TRY(rows, LivingRows(std::move(rows), reader->RowsOf(group).first, dead));
    if (rows->num_rows() == 0) continue;
    FRESHET_TRY(auto begun, Begun(*rows, began, form));
    FRESHET_CHECK_OK(writer->Write(begun).status());
  }
  return Status::Ok();
}

Result<std::vector<delta::AddFile>> WriteParts(const std::shared_ptr<store::FileStore>& staging,
                                               const std::vector<staging::SnapshotPart>& parts,
                                               UtcMicros taken_at, const TableForm& form,
                                               DataWriter* writer) {
  for (const auto& part : parts) {
    if (part.rows == 0) continue;
    Status written = WriteAsVersions(staging, part.path, {}, taken_at, form, {}, writer);
    if (written.Is(ErrorClass::NOT_FOUND)) {
      return Error(ErrorClass::STAGING_EXPIRED, "a snapshot part is no longer in staging: {}",
                   part.path);
    }
    FRESHET_CHECK_OK(written);
  }
  return writer->Finish();
}

Result<std::vector<delta::Action>> TurnIntoVersions(const delta::Table& table,
                                                    const delta::Snapshot& snapshot,
                                                    UtcMicros began, const TableForm& form,
                                                    int64_t now_ms, const std::stop_token& stop,
                                                    DataWriter* writer) {
  std::vector<delta::Action> actions;
  for (const auto& [path, file] : snapshot.files) {
    delta::DeletionVector dead;
    if (file.deletion_vector) {
      FRESHET_TRY(dead, delta::DeletionVector::Load(*table.store(), *file.deletion_vector));
    }
    FRESHET_CHECK_OK(WriteAsVersions(table.store(), path, dead, began, form, stop, writer));
    actions.emplace_back(RemoveOf(file, now_ms));
  }
  FRESHET_TRY(auto added, writer->Finish());
  for (auto& add : added) actions.emplace_back(std::move(add));
  return actions;
}

}  // namespace freshet::apply
