// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "delta/table.h"
#include "record/observer.h"

namespace freshet::apply {

/// What keeps a table's log short and its folder small, after its commits: a checkpoint every so
/// many (fewer where it is cheap), and with the first one and then now and then the removal of what
/// outlived the table's retention. Failing costs time and space, never rows: it is logged, and done
/// again later. Owned by the table's applier, in whose thread it works, so that no commit of ours
/// is under way meanwhile.
class Housekeeping {
 public:
  /// A checkpoint every `commits` at the latest.
  Housekeeping(const delta::Table* table, std::string table_name, int64_t commits, Clock* clock,
               record::Observer* observer)
      : table_(table),
        name_(std::move(table_name)),
        commits_max_(commits),
        clock_(clock),
        observer_(observer) {}

  /// Do what is due now that `snapshot` is the newest state.
  void AfterCommit(const delta::Snapshot& snapshot);

 private:
  int64_t CommitsDue(const delta::Snapshot& snapshot) const;
  void Clean(const delta::Snapshot& snapshot);

  const delta::Table* const table_;
  const std::string name_;
  const int64_t commits_max_;
  Clock* const clock_;
  record::Observer* const observer_;
  int64_t checkpointed_ = 0;  // the newest version with a checkpoint, as far as known
  std::optional<Deadline> clean_again_;
};

}  // namespace freshet::apply
