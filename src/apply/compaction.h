// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "apply/data_writer.h"
#include "apply/live_rows.h"
#include "apply/table_form.h"
#include "base/limits.h"
#include "delta/deletion_vector.h"

namespace freshet::apply {

/// When files are worth rewriting. Other values are for tests.
struct CompactionRules {
  size_t files_min = limits::kCompactionFilesMin;
  int64_t bytes_min = limits::kCompactionBytesMin;
  int64_t commits_min = limits::kCommitsPerCompaction;
  /// One row in so many is dead in a file that is rewritten.
  int64_t dead_share = limits::kCompactionDeadShare;
  /// What makes a rest between changes: a rewriting takes about as long.
  std::chrono::milliseconds rest_min{1000};
  /// What is put in order together: about a row group.
  int64_t unit_rows = limits::kRowGroupRowsMax;
  int64_t unit_bytes = limits::kRowGroupBytesMax;
  /// Rows of one compaction that are put in order, the place of each being kept (4 bytes); as many
  /// as those whose entries are.
  int64_t ordered_rows_max = limits::kIndexIngestEntriesMax;
};

/// Choose the files that one compaction rewrites; none: nothing is due. Small files by classes of
/// size, so that a row is rewritten a few times at most until its file is no longer small; then
/// files in which many rows are dead.
std::vector<delta::AddFile> ChooseFiles(const delta::Snapshot& snapshot,
                                        const CompactionRules& rules);

/// Rewrites the living rows of some files of a table to new ones. Where OrdersByKey, about a row
/// group at a time is put in the order of the key, for rows that were updated at random compress
/// worse than those that lie beside their like; what is beyond memory stays as it lay. The old
/// files stay for readers of older versions until their retention is over. One thread; nothing
/// counts until the actions are committed.
class Compaction {
 public:
  /// `snapshot` has the files.
  Compaction(std::shared_ptr<store::FileStore> table, TableForm form,
             std::shared_ptr<const delta::Snapshot> snapshot, std::vector<delta::AddFile> files,
             int64_t now_ms, const CompactionRules& rules = {});
  /// The same of files with other rows dead than their vectors say: only Run, the outputs and the
  /// entries mean something then.
  Compaction(std::shared_ptr<store::FileStore> table, TableForm form,
             std::vector<LiveRows::Torn> files, int64_t now_ms);

  /// Write the new files. Errors: CANCELLED, as DeletionVector, parquet::Reader.
  Status Run(const std::stop_token& stop);
  /// Return the commit on a version of the table, which may be newer than the one rewritten: rows
  /// that died meanwhile are dead in the new files too. Nothing: the files are no longer there as
  /// they were, or the table has another shape. REQUIRES: Run returned OK.
  Result<std::optional<std::vector<delta::Action>>> ActionsOn(const delta::Snapshot& snapshot);
  /// Remove the new files.
  void Discard() { writer_.Discard(); }

  /// Where the rows lie now, unless there were too many to keep (limits::kIndexIngestEntriesMax).
  bool has_entries() const { return has_entries_; }
  std::vector<IndexEntry> TakeEntries() { return std::move(entries_); }
  /// Where the rows of a keyless table lay before; of a keyed one the new entries replace the old.
  const std::vector<IndexEntry>& gone() const { return gone_; }
  int64_t files() const { return static_cast<int64_t>(inputs_.size()); }
  int64_t rows() const { return writer_.rows(); }
  int64_t bytes() const;
  const std::vector<delta::AddFile>& outputs() const { return outputs_; }
  const TableForm& form() const { return form_; }

 private:
  /// Rows of a file that were written together.
  struct Piece {
    int64_t first = 0, rows = 0;  // of the old file, dead ones included
    RowAddress to;                // of the first living one, where they follow each other
    std::vector<uint32_t> order;  // else the living ones' new rows, in to.file

    uint32_t RowOf(size_t living) const {
      return order.empty() ? to.row + static_cast<uint32_t>(living) : order[living];
    }
  };
  struct Input {
    delta::AddFile file;
    delta::DeletionVector dead;  // when it was read
    bool known = false;          // what is dead, without reading its vector
    std::vector<Piece> pieces = {};
  };
  /// The living rows of a row group of a file.
  struct Group {
    Input* input = nullptr;
    Piece piece;
    std::shared_ptr<arrow::RecordBatch> rows;
    DataWriter::RowIds ids;
  };
  using Killed = std::map<uint64_t, delta::DeletionVector>;  // by the new path's hash

  Status Rewrite(Input* input, const std::stop_token& stop);
  /// Write it, or let it wait for others to be put in order with.
  Status Add(Group group);
  Status Write(Group* group);
  Status WriteWaiting();
  Status WriteInOrder(std::vector<Group>* groups, const arrow::UInt64Array& order);
  /// Note where its rows lie now, which its piece says.
  void Keep(Group* group);
  /// The ids and versions of living rows, of which the batch's last two columns have what was kept.
  Result<DataWriter::RowIds> IdsOf(const arrow::RecordBatch& batch, const Input& input,
                                   const Piece& piece) const;
  void KeepEntries(const arrow::RecordBatch& batch, const Input& input, const Piece& piece);
  /// Mark dead in the new files what died in an old one; false: rows of it came back.
  Result<bool> Translate(const Input& input, const delta::AddFile& now, Killed* killed);

  const std::shared_ptr<store::FileStore> table_;
  const TableForm form_;
  const std::shared_ptr<const delta::Snapshot> snapshot_;
  const int64_t now_ms_;
  const CompactionRules rules_;
  DataWriter writer_;
  std::vector<Input> inputs_;
  std::vector<delta::AddFile> outputs_;
  std::vector<Group> waiting_;
  int64_t waiting_rows_ = 0, waiting_bytes_ = 0;
  int64_t ordered_rows_ = 0;  // that have waited so far
  std::vector<IndexEntry> entries_, gone_;
  bool has_entries_ = true;
};

}  // namespace freshet::apply
