// SPDX-License-Identifier: Apache-2.0
#include "apply/table_contents.h"

#include "apply/living_rows.h"
#include "delta/deletion_vector.h"
#include "parquet/reader.h"
#include "record/arrow_status.h"

namespace freshet::apply {

Result<std::vector<std::shared_ptr<arrow::RecordBatch>>> ReadLiveRows(
    const std::shared_ptr<store::FileStore>& table, const delta::Snapshot& snapshot) {
  arrow::FieldVector physical;
  arrow::FieldVector logical;
  for (const auto& column : snapshot.columns) {
    physical.push_back(arrow::field(column.physical, column.type));
    logical.push_back(arrow::field(column.name, column.type));
  }
  auto schema = arrow::schema(logical);
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (const auto& [path, file] : snapshot.files) {
    delta::DeletionVector dead;
    if (file.deletion_vector) {
      FRESHET_TRY(dead, delta::DeletionVector::Load(*table, *file.deletion_vector));
    }
    FRESHET_TRY(auto reader, parquet::Reader::Open(table, path));
    for (int group = 0; group < reader->row_groups(); ++group) {
      FRESHET_TRY(auto rows, reader->Read(group, physical));
      FRESHET_TRY(rows, LivingRows(std::move(rows), reader->RowsOf(group).first, dead));
      batches.push_back(arrow::RecordBatch::Make(schema, rows->num_rows(), rows->columns()));
    }
  }
  return batches;
}

}  // namespace freshet::apply
