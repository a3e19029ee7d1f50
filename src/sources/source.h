// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/record_batch.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "record/change.h"
#include "record/sequence.h"
#include "record/shape.h"

namespace freshet::sources {

/// What a source promises; fixed for its life.
struct Traits {
  std::string name;             // "postgres"
  bool exact_snapshots = true;  // a snapshot is exactly one position
  /// A snapshot reads some of a table's columns alone, exactly at its position among the changes.
  bool reads_columns = false;
  /// The server and database behind the connection, for good: another identity is another source.
  std::string identity;
};

/// One thing that keeps a source or a table from being ingested, with its remedy (usually SQL) in
/// the Status.
struct Finding {
  std::optional<record::TableName> table;  // none: the whole source
  Status problem;
  bool fatal = true;  // false: worth knowing, ingestion works
};

/// A table as discovery sees it.
struct TableListing {
  record::TableId id;
  record::TableName name;
  /// Why it cannot be ingested (SOURCE_PRIVILEGE, COLUMN_RESERVED …); OK: it can.
  Status problem;
  /// Why the log does not tell of its changes (TABLE_NO_IDENTITY, TABLE_NOT_LOGGED), and what would
  /// make it: until then it is read again and again. OK: it does.
  Status unlogged = {};
  /// It shows the rows of others (a view, a foreign table, a partition): taken only when it is
  /// asked for by its own name.
  bool derived = false;
  /// Of a partition: the table that its rows are of. The source tells them as those of one of the
  /// two, so it is not taken beside that.
  std::optional<record::TableId> part_of = {};
  int64_t rows_estimated = -1;
  int64_t bytes_estimated = -1;
  /// Of a partitioned table: what holds its rows.
  std::optional<std::vector<record::Partition>> partitions = {};
  /// Another text when the table has other columns, another key or other comments; empty: only
  /// Describe tells.
  std::string fingerprint = {};
  /// Of one that the log tells of: the memo that the stream gives it now. Another than was kept
  /// says that the log did not tell of it for a while. Nothing: the source has no such thing.
  std::optional<std::string> memo = {};
};

/// A piece of a table that one reader reads in one go. `text` is the source's own and legible.
struct Chunk {
  int64_t number = 0;  // from 0, in plan order
  std::string text;
  int64_t rows_estimated = -1;
};

/// The rows of one chunk, as batches of the shape's columns. One thread at a time.
class ChunkReader {
 public:
  virtual ~ChunkReader() = default;
  /// Return the next batch, null at the end. The end is returned only after the table was found to
  /// be the same as when the snapshot was taken. Errors: SNAPSHOT_STALE (it is not: the table's
  /// snapshot starts again), SOURCE_UNREACHABLE.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Next() = 0;
  /// Values that became NULL because Delta cannot hold them (infinity, NaN, out of range), so far.
  virtual int64_t values_nulled() const = 0;
};

/// What every table holds at one position. Thread-safe: shared by parallel readers. The one that
/// BeginSnapshot returned holds it: at its end, or its process's, all that resumed it go stale.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  /// Changes with a sequence at or below this are in the snapshot; all others are not.
  virtual record::Sequence Position() const = 0;
  /// When the snapshot was taken, by the source's clock.
  virtual UtcMicros TakenAt() const = 0;
  /// What ResumeSnapshot opens this same snapshot by, from any process, while it is held: at most
  /// 1 KiB of legible text without a line's end.
  virtual std::string Handle() const = 0;
  /// The table's shape at this position; `version` is 0, the gateway numbers it. Errors: NOT_FOUND,
  /// and what CheckShape says.
  virtual Result<record::TableShape> Describe(const record::TableId& table) = 0;
  /// Split the table. The chunks together hold every row once, whenever they are read while the
  /// snapshot is held, and whoever opens them.
  virtual Result<std::vector<Chunk>> Plan(const record::TableShape& shape) = 0;
  /// What to read from this snapshot of a table whose `plan` is an earlier one's, now gone, and of
  /// whose chunks those of `done` were read from that: every row that is the same in both is in one
  /// of those or of these. Chunks keep their numbers; new ones come after. Nothing: that cannot be
  /// had, as when the rows have moved; the table starts again. Errors: as Plan.
  virtual Result<std::optional<std::vector<Chunk>>> PlanRest(const record::TableShape& shape,
                                                             const std::vector<std::string>& plan,
                                                             const std::set<int64_t>& done);
  virtual Result<std::unique_ptr<ChunkReader>> Open(std::shared_ptr<const record::TableShape> shape,
                                                    const Chunk& chunk) = 0;
  /// Have whatever is read from it end with CANCELLED soon, also what waits for the server: the
  /// caller is to stop.
  virtual void Cancel() {}
};

/// Changes from a cursor on. Next and Watch are called by one thread; Acknowledge too. The stream
/// keeps its session alive by itself while nobody calls.
class ChangeStream {
 public:
  virtual ~ChangeStream() = default;
  /// The cursor this stream began at: the one it was opened from; of a stream opened from now on,
  /// the position of what was made for it (PostgreSQL: the new slot's consistent point). The
  /// gateway seals it before anything else is built on the stream, so that after a crash it goes on
  /// from there and never opens a second "from now on". Every source returns one.
  virtual record::Cursor Start() const { return {}; }
  /// Ask for one Idle as soon as everything committed at the source before this call has been
  /// returned, even while more keeps coming (PostgreSQL: remember pg_current_wal_insert_lsn(), and
  /// return Idle after the first Commit or keepalive at or beyond it). Without it Next returns Idle
  /// only when nothing more waits. A source that is written to without pause must have it.
  virtual Status Fence() { return Status::Ok(); }
  /// Return the next event, or Idle, or Nothing at the deadline. Commit comes at transaction ends
  /// only, may stand for many, and closes every batch before it. Errors are the source's and final
  /// for this stream: open another from the last checkpoint.
  virtual Result<record::StreamEvent> Next(Deadline deadline) = 0;
  /// Follow these tables from now on (PostgreSQL: adds them to the publication); tables not listed
  /// are no longer followed, their changes skipped. When it returns, every later commit of these
  /// tables will be in the stream, but for those it returns: they are locked by somebody, so say
  /// all of this again later.
  virtual Result<std::set<record::TableId>> Watch(
      std::vector<std::shared_ptr<const record::TableShape>> shapes) = 0;
  /// Return what is to be kept of single tables and given back in their shapes (TableShape::memo)
  /// to Watch and OpenChanges, where it is another since the last call. Asked for once the stream
  /// was opened, after Watch, and at each Commit, with whose cursor it is sealed.
  virtual std::map<record::TableId, std::string> TakeMemos() { return {}; }
  /// Tell the source that everything up to `durable` is staged. The one call site is in capture/,
  /// after Seal returned OK.
  virtual Status Acknowledge(const record::Cursor& durable) = 0;
  /// Bytes the source still holds beyond what was returned, for the lag; -1 unknown.
  virtual int64_t BytesBehind() const = 0;
  virtual int64_t values_nulled() const = 0;
};

/// One system to read from: all that a connector implements. Thread-safe.
class Source {
 public:
  virtual ~Source() = default;
  virtual Traits traits() const = 0;
  /// Return every problem at once. An unreachable source is one finding, not an error.
  virtual std::vector<Finding> Check() = 0;
  virtual Result<std::vector<TableListing>> ListTables() = 0;
  /// The table's shape now; `version` is 0. Errors: NOT_FOUND, and what CheckShape says.
  virtual Result<record::TableShape> Describe(const record::TableId& table) = 0;
  /// Errors: SOURCE_BLOCKED, SOURCE_NO_FREE_SLOT …
  virtual Result<std::unique_ptr<Snapshot>> BeginSnapshot() = 0;
  /// Open a snapshot that somebody else holds. Errors: SNAPSHOT_STALE (nobody holds it any more).
  virtual Result<std::unique_ptr<Snapshot>> ResumeSnapshot(const std::string& handle) = 0;
  /// Follow changes of `shapes`, all of them logged, from exactly `from`; an empty cursor means
  /// from now on (and makes what it takes to: slot, publication). Any snapshot begun after this
  /// returned is covered.
  /// Errors: SLOT_LOST, SLOT_MOVED, SLOT_IN_USE, SOURCE_CHANGED: never a silent skip.
  virtual Result<std::unique_ptr<ChangeStream>> OpenChanges(
      std::vector<std::shared_ptr<const record::TableShape>> shapes,
      const record::Cursor& from) = 0;
  /// Remove what OpenChanges made at the source (slot, publication); OK when it is gone already.
  virtual Status Forget() = 0;
};

inline Result<std::optional<std::vector<Chunk>>> Snapshot::PlanRest(
    const record::TableShape& /*shape*/, const std::vector<std::string>& /*plan*/,
    const std::set<int64_t>& /*done*/) {
  return std::optional<std::vector<Chunk>>();
}

}  // namespace freshet::sources
