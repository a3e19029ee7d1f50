// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "apply/live_rows.h"
#include "apply/staged_changes.h"
#include "apply/table_form.h"
#include "delta/table.h"
#include "parquet/reader.h"

namespace freshet::apply {

/// A table at one version, and how its rows are found.
struct IndexedTable {
  std::shared_ptr<store::FileStore> store;
  std::shared_ptr<const delta::Snapshot> snapshot;
  const TableForm* form = nullptr;
  record::FlowId index;  // the name of its entries, which reflect the snapshot
};

/// What makes one table out of another, as if it were one transaction: every row of the new state
/// as an insert, and a deletion of each row in force whose key the new state lacks. Whoever takes
/// it finds the rows that are the same, so that only what differs counts.
class ShadowDifference final : public ChangeInput {
 public:
  /// `at` is when the new state was so at the source.
  ShadowDifference(IndexedTable now, IndexedTable then, UtcMicros at, KeyIndex* index)
      : now_(std::move(now)), then_(std::move(then)), at_(at), index_(index) {}

  Result<std::vector<FoldItem>> Next() override;
  bool goes_on() const override { return false; }

 private:
  /// A row group of one of the files; null: there are no more.
  Result<std::shared_ptr<arrow::RecordBatch>> NextGroup(const IndexedTable& table,
                                                        const arrow::FieldVector& fields);
  Result<FoldBatch> Inserts(const arrow::RecordBatch& rows);
  Result<std::optional<FoldBatch>> Deletions(const arrow::RecordBatch& rows);
  Result<FoldBatch> Changes(record::Op op, int64_t rows) const;

  const IndexedTable now_, then_;
  const UtcMicros at_;
  KeyIndex* const index_;
  FilePaths then_paths_;
  std::unique_ptr<LiveRows> then_rows_;
  bool inserting_ = true;
  std::vector<const delta::AddFile*> files_;  // of the table that is read, still to be read
  bool listed_ = false;
  std::unique_ptr<parquet::Reader> reader_;
  delta::DeletionVector dead_;
  int group_ = 0;
};

}  // namespace freshet::apply
