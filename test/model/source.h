// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "model/database.h"
#include "sources/source.h"

namespace freshet::model {

/// How the source behaves, beside what its database holds.
struct SourceScript {
  /// Where a slot made anew begins; the log before is never sent. Once made, a slot made again
  /// begins at the end of the log, as a real one does.
  uint64_t stream_from = 0;
  /// The next snapshot is taken here; then at the end of the log.
  std::optional<uint64_t> snapshot_at;
  /// Called once, when the next snapshot was taken: what is committed then is not in it.
  std::function<void()> after_snapshot;
  /// Columns, of any table, that are not selected.
  std::set<std::string> deselected;
  /// The reader of this chunk fails once, with this class.
  std::optional<std::pair<int64_t, ErrorClass>> fail_chunk;
  /// Rows that changed since a snapshot was lost lie where they were read already.
  bool rest_misses_changed = false;
  /// Transactions that share a batch and a Commit.
  int transactions_per_commit = 1;
  /// Transactions that were committed when the source's clock said the time of another position.
  std::map<uint64_t, uint64_t> committed_as = {};
  /// Called before every call into the source; an error of it is returned. For faults.
  std::function<Status(std::string_view call)> before;
  /// Called with every acknowledged position.
  std::function<void(uint64_t position)> acknowledged;
};

/// The slot as the server keeps it: survives the client's crash.
struct Slot {
  uint64_t confirmed = 0;
};

/// A sources::Source over a Database: positions are cursors, the slot remembers what was
/// acknowledged and refuses any other beginning. Thread-safe (one lock).
class ModelSource final : public sources::Source {
 public:
  ModelSource(Database* database, Clock* clock) : database_(database), clock_(clock) {}

  SourceScript script;
  std::optional<Slot> slot;
  bool slot_lost = false;
  /// The snapshots that somebody holds, with their positions.
  std::map<std::string, uint64_t> held;
  int64_t chunks_read = 0;  // opened, ever
  /// Tables that a reader found rewritten, and no rest was planned of since.
  std::set<std::string> rewritten;

  sources::Traits traits() const override;
  std::vector<sources::Finding> Check() override { return {}; }
  Result<std::vector<sources::TableListing>> ListTables() override;
  Result<record::TableShape> Describe(const record::TableId& table) override;
  Result<std::unique_ptr<sources::Snapshot>> BeginSnapshot() override;
  Result<std::unique_ptr<sources::Snapshot>> ResumeSnapshot(const std::string& handle) override;
  Result<std::unique_ptr<sources::ChangeStream>> OpenChanges(
      std::vector<std::shared_ptr<const record::TableShape>> shapes,
      const record::Cursor& from) override;
  Status Forget() override;

  Database* database() { return database_; }
  /// The shape without the columns that are not selected.
  record::TableShape Selected(record::TableShape shape) const;
  Clock* clock() { return clock_; }
  /// The commit time of the transaction at a position.
  UtcMicros CommittedAt(uint64_t position) const;
  Status Before(std::string_view call) {
    return script.before ? script.before(call) : Status::Ok();
  }

 private:
  Database* const database_;
  Clock* const clock_;
  int64_t snapshots_ = 0;
};

/// The sequence of a transaction's n-th change, from 1.
record::Sequence SequenceAt(uint64_t position, uint64_t ordinal);
/// The position of a snapshot that holds every transaction up to `position`: as PostgreSQL's, it is
/// the first commit that is not in it, so the next transaction lies exactly on the border.
record::Sequence SnapshotSequence(uint64_t position);
/// The commit time of a position.
UtcMicros CommittedAt(uint64_t position);
record::Cursor CursorAt(uint64_t position);

}  // namespace freshet::model
