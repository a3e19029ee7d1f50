// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "apply/change_feed.h"
#include "apply/data_writer.h"
#include "apply/live_rows.h"
#include "apply/row_tally.h"
#include "apply/table_form.h"
#include "apply/torn_files.h"
#include "parquet/reader.h"
#include "staging/manifest.h"

namespace freshet::apply {

/// What makes a table hold what was read of it anew, and how many rows that touches.
struct Difference {
  std::vector<delta::Action> actions;  // none: nothing differs
  int64_t rows_inserted = 0, rows_updated = 0, rows_deleted = 0;
};

/// Compares a whole new reading of a table with the rows that live in it, as multisets of rows, and
/// plans the commit of what differs. Both sides are read once for their hashes, and of the new one
/// again what is appended. One thread.
///
///   hash every living row and every row read → tally → mark dead what the table has more of, write
///   what it has less of
class DifferencePlanner {
 public:
  struct Table {
    std::shared_ptr<store::FileStore> store;
    std::shared_ptr<const delta::Snapshot> snapshot;
    const TableForm* form = nullptr;   // of the columns after the commit
    const FilePaths* paths = nullptr;  // of the snapshot's version
  };
  /// A complete generation in staging.
  struct Reading {
    std::shared_ptr<store::FileStore> staging;
    std::vector<staging::SnapshotPart> parts;
    record::TableShape shape;  // of the parts' columns
  };
  DifferencePlanner(Table table, Reading reading, std::string scratch_folder, size_t bytes_max,
                    int64_t now_ms);

  /// Errors: STAGING_EXPIRED (a part is gone), STAGING_CORRUPT, CANCELLED, STORE_*.
  Result<Difference> Plan(const std::stop_token& stop);
  /// Remove the files of a plan that was not committed.
  void Discard() {
    writer_.Discard();
    feed_.Discard();
    if (copies_ != nullptr) copies_->Discard();
  }

 private:
  Status HashTable(const std::stop_token& stop);
  Status HashReading(const std::stop_token& stop);
  Status Hash(parquet::Reader* file, const arrow::FieldVector& columns, RowTally::Side side,
              uint32_t number, const delta::DeletionVector& dead, const std::stop_token& stop);
  Result<std::unique_ptr<parquet::Reader>> OpenPart(const staging::SnapshotPart& part) const;
  Status TakeSurplus(const RowTally::Row& row);
  Status Append(const std::stop_token& stop);

  const Table table_;
  const Reading reading_;
  const int64_t now_ms_;
  const arrow::FieldVector read_columns_;  // of the parts, one a column of the table
  DataWriter writer_;
  LiveRows live_;
  ChangeFeed feed_;
  std::unique_ptr<Compaction> copies_;  // of a table without deletion vectors
  RowTally tally_;
  std::vector<const delta::AddFile*> files_;   // of the table, by their numbers
  std::vector<delta::DeletionVector> wanted_;  // rows of each part that the table lacks
};

}  // namespace freshet::apply
