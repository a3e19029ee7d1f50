// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "apply/compaction.h"
#include "apply/history_form.h"
#include "apply/key_index.h"
#include "base/clock.h"
#include "base/limits.h"
#include "delta/table.h"
#include "record/observer.h"
#include "staging/reader.h"

namespace freshet::apply {

/// One source table into one destination table.
struct Flow {
  record::FlowId id;
  record::TableId table;
  record::TableName source;  // for messages
};

/// How far a destination table has come: read from its Delta log (`txn`) and nowhere else.
struct Positions {
  record::Generation generation;
  record::SegmentNumber snapshot;  // chunks of `generation` up to here are in the table
  record::SegmentNumber changes;   // changes up to here are in the table
  bool operator==(const Positions&) const = default;
};

/// What one call of Apply did.
struct Applied {
  enum class State : uint8_t {
    kCommitted,  // one commit; there may be more to do
    kCompacted,  // one commit that changed no row: files were rewritten
    kRefreshed,  // a step of the new generation beside the table: no reader sees it yet
    kCurrent,    // everything up to `through` is in the table, or does not concern it
    kWaiting     // current as far as can be: the snapshot is not complete, or not begun, in staging
  } state = State::kCurrent;
  bool swapped = false;  // the commit took all of a later generation
  bool held = false;     // with kWaiting: later changes wait for columns that are read
  /// The table was compared with a new reading of it since the last answer.
  bool reread = false;
  int64_t version = -1;  // of the table, when committed
  record::SegmentNumber through;
  /// With kCurrent and kWaiting: a generation that is being read will take the changes after this
  /// segment; staging must keep them.
  std::optional<record::SegmentNumber> needed_after = {};
  int64_t rows_inserted = 0, rows_updated = 0, rows_deleted = 0;
  UtcMicros committed_at = 0;  // the newest source commit now in the table
};

/// Staging → one Delta table. Owned by pipeline/; one thread at a time; `capture/` is
/// its other half and is never called. Everything it knows is read from the table's log and from
/// staging: a crash anywhere is repaired by opening it again.
///
///   no table yet            → version 0: protocol, metadata with our mark, the three txns
///   generation incomplete   → append its new chunks (adopted as they are), txn snapshot
///   … abandoned             → with the successor's first chunk, remove the old one's files, txn
///                           generation
///   a later generation      → built beside the table, while that goes on; then one commit takes it
///   … of a table without log → compared with the table once it is complete; one commit takes what
///                           differs, none if nothing does
///   the table is a former's → its own first generation is built beside it, as a later one is
///   generation complete     → fold changes above its position, look keys up, deletion vectors +
///                           one new file, txn changes
///   small or dead files     → between changes, and when there are none: rewrite some of them
///   another history asked   → the rows become versions in force, in one commit
///   columns no change fills → changes wait behind their shape; then one commit takes those up to
///     the
///                           reading's position, what was read as updates by key, and the rest
///   lost commit race        → read the winner, plan again with new look-ups; a compaction goes on
class TableApplier {
 public:
  struct Context {
    staging::StagingReader* staging = nullptr;
    std::shared_ptr<store::FileStore> table;  // rooted at the table's folder
    /// The store that holds both the staging and the tables, with the prefixes of either in it:
    /// snapshot parts are adopted by a Copy within it (a hard link locally). Null: they are copied
    /// through memory.
    std::shared_ptr<store::FileStore> root;
    std::string staging_prefix, table_prefix;
    /// Rooted at the folder where a later generation is built, and its prefix in `root`.
    std::shared_ptr<store::FileStore> shadow;
    std::string shadow_prefix;
    /// Flows whose tables had this one's name and folder before and are gone: the table may still
    /// be theirs. `shadow` is rooted where a later generation of theirs was built.
    struct Former {
      Flow flow;
      std::shared_ptr<store::FileStore> shadow;
    };
    std::vector<Former> formers = {};
    KeyIndex* index = nullptr;
    Clock* clock = nullptr;
    record::Observer* observer = nullptr;
    std::string scratch_folder;  // on a local disk, for bytes that need not survive
    std::string pipeline_mark;   // goes into the table's mark
    /// The reader's record says that all flows are past the segments up to this one: a reading that
    /// lies there was compared with the table.
    record::SegmentNumber passed = {};
    /// The reader's record says the table existed: missing now is POSITION_LOST.
    bool created_before = false;
    /// What one fold, one comparison and indexing keep in memory, and how often a checkpoint is
    /// written. Other values are for tests.
    size_t fold_bytes_max = limits::kFoldBytesMax;
    size_t difference_bytes_max = limits::kDifferenceBytesMax;
    size_t index_entries_max = limits::kIndexIngestEntriesMax;
    int64_t commits_per_checkpoint = limits::kCommitsPerCheckpoint;
    CompactionRules compaction = {};
    HistoryRules history = {};
    /// Whether columns that the source has no more go from the table too.
    bool drop_inactive_columns = false;
    /// Properties that the table is to have. REQUIRES: delta::CheckProperty.
    std::map<std::string, std::string> properties = {};
  };
  static Result<std::unique_ptr<TableApplier>> Open(Flow flow, Context context);
  virtual ~TableApplier() = default;

  /// Errors: POSITION_LOST (a txn is missing, or the mark names another staging), TABLE_FOREIGN.
  /// All zero: no table yet.
  virtual Result<Positions> Current() = 0;
  /// Take the next step towards everything in staging up to `through`: at most one commit.
  /// Errors: POSITION_LOST, TABLE_FOREIGN, COMMIT_ZOMBIE, VALUE_NOT_SENT, STAGING_EXPIRED, those of
  /// a history that the table cannot have (HISTORY_*, SEQUENCE_COLUMN_UNSUITABLE), the class of a
  /// broken table, STORE_*.
  virtual Result<Applied> Apply(record::SegmentNumber through, const std::stop_token& stop) = 0;
};

}  // namespace freshet::apply
