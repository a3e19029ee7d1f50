// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "apply/live_rows.h"
#include "apply/row_tally.h"
#include "apply/table_form.h"
#include "base/limits.h"
#include "parquet/encoder.h"
#include "parquet/reader.h"
#include "store/file_store.h"

namespace freshet::apply {

/// What a table's change data feed takes: where pairs are put aside, and from how many bytes on.
struct FeedRules {
  std::string scratch_folder;
  size_t bytes_max = limits::kDifferenceBytesMax;
};

/// Writes what a commit changes as the table's change data feed tells it: rows that come, rows that
/// go, and of the same row before and after. It goes by what the commit makes of files, however
/// that was planned. One thread.
///
///   rows that die, rows that come → their identity → pairs → `_change_data`, with `_change_type`
///
/// A row is itself while it has the same key, a version while it began at the same time as well;
/// one of a keyless table is its content.
/// Source: Delta protocol, "Change Data Files".
class ChangeFeed {
 public:
  ChangeFeed(std::shared_ptr<store::FileStore> table, const TableForm& form, FeedRules rules)
      : table_(std::move(table)), form_(form), rules_(std::move(rules)) {}

  /// Return the actions that name what was written; none: the commit's files say it all, for it
  /// only adds rows, or takes all away that there were.
  Result<std::vector<delta::Action>> Write(LiveRows* rows);
  /// Remove the files of a commit that lost.
  void Discard();

 private:
  struct Told {
    delta::AddFile file;
    RowTally::Side side = RowTally::Side::kOld;
    delta::DeletionVector rows, paired;
  };

  Status Add(const delta::AddFile& file, RowTally::Side side, const std::vector<int64_t>& rows,
             RowTally* tally);
  Status WriteRows(const Told& told);
  Status Finish();

  const std::shared_ptr<store::FileStore> table_;
  const TableForm& form_;
  const FeedRules rules_;
  std::vector<Told> told_;  // by the tally's numbers
  std::unique_ptr<parquet::Encoder> encoder_;
  std::vector<delta::Action> actions_;
};

}  // namespace freshet::apply
