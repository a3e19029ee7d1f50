// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "apply/staged_changes.h"
#include "parquet/reader.h"
#include "staging/manifest.h"

namespace freshet::apply {

/// Columns of a table that were read alone, in their place among its changes: those up to the
/// reading's position, then what was read as updates of these columns by key, then the rest.
class ColumnFill final : public ChangeInput {
 public:
  struct Reading {
    std::shared_ptr<store::FileStore> staging;
    std::vector<staging::SnapshotPart> parts;
    std::vector<record::ColumnId> ids;  // of the columns that may be in the parts
    record::TableShape shape;           // by which they are named there
    record::Sequence position;
    UtcMicros taken_at = 0;
  };
  /// `position`: changes up to it are in the table.
  ColumnFill(staging::StagingReader* staging, const RowForm& form, const StagedChanges& changes,
             record::Sequence position, size_t fold_bytes_max, Reading reading);

  /// Errors: STAGING_EXPIRED (a part is gone), as ChangeLoader.
  Result<std::vector<FoldItem>> Next() override;
  bool goes_on() const override { return goes_on_; }

 private:
  Result<std::shared_ptr<arrow::RecordBatch>> NextRows();
  Result<FoldBatch> Updates(const arrow::RecordBatch& rows) const;

  const RowForm& form_;
  const Reading reading_;
  ChangeLoader before_, after_;
  enum class Stage : uint8_t { kBefore, kReading, kAfter } stage_ = Stage::kBefore;
  bool goes_on_ = false;
  // What is read of the parts: for each of the table's columns its place in it, -1: none.
  arrow::FieldVector fields_;
  std::vector<int> places_;
  size_t next_part_ = 0;
  std::unique_ptr<parquet::Reader> part_;
  int next_group_ = 0;
  std::shared_ptr<arrow::RecordBatch> rest_;  // of a row group
};

}  // namespace freshet::apply
