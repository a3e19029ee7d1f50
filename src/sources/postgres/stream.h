// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "sources/postgres/changes.h"
#include "sources/postgres/fence.h"
#include "sources/postgres/held_back.h"
#include "sources/postgres/partitions.h"
#include "sources/postgres/pgoutput.h"
#include "sources/postgres/receiver.h"
#include "sources/postgres/relation.h"
#include "sources/postgres/streamed.h"
#include "sources/postgres/table_changes.h"

namespace freshet::sources::postgres {

/// Turns pgoutput's messages into events. The receiver's thread reads the wire; everything here is
/// the caller's thread.
///
///   Next: an event is ready → return it
///         the last commit has waited long enough, or nothing more waits → close all batches,
///           Commit
///         a message waits → decode it into its table's builders
///         one of a transaction that has not ended yet → put it aside; at its commit they are taken
///           like those of any other
///         nothing waits → is the source idle? Idle, else wait for the wire
class PostgresStream final : public ChangeStream {
 public:
  /// `side`: a session for the catalog and the fence. `receiver`: started.
  PostgresStream(Origin origin, Lsn start, std::unique_ptr<Connection> side,
                 std::unique_ptr<Receiver> receiver);

  record::Cursor Start() const override {
    return ToCursor({start_, origin_.epoch, origin_.identity});
  }
  Status Fence() override;
  Result<record::StreamEvent> Next(Deadline deadline) override;
  Result<std::set<record::TableId>> Watch(
      std::vector<std::shared_ptr<const record::TableShape>> shapes) override;
  std::map<record::TableId, std::string> TakeMemos() override {
    return std::exchange(memos_due_, {});
  }
  Status Acknowledge(const record::Cursor& durable) override;
  /// Follow a watched table no longer, and say why. Errors: NOT_FOUND (not one of this source's).
  Status GiveUp(const record::TableId& id, Status why);
  int64_t BytesBehind() const override;
  int64_t values_nulled() const override;

 private:
  /// A table by its oid, followed or not.
  struct Table {
    /// None: its changes are skipped.
    std::shared_ptr<const record::TableShape> shape;
    /// None until a Relation message was compared with the shape.
    std::unique_ptr<TableChanges> changes;
    bool failed = false;
    /// The ids of its partitions that were returned last; none: it is not partitioned.
    std::set<std::string> partitions;

    bool followed() const { return shape != nullptr && !failed; }
  };
  /// What the server sends rows of: a table, or a partition of one.
  struct Relation {
    /// The newest one, kept for a table that is followed later.
    std::optional<RelationMessage> message;
    /// Whose rows these are; null: nobody's.
    Table* table = nullptr;
    /// None until the message was compared with the table's shape.
    std::optional<RowLayout> layout;
    /// The commit position of the streamed transaction that `message` was last taken from; 0: none.
    Lsn taken_from = 0;
    /// `message` came within what was rolled back: it counts only if rows follow that no other one
    /// describes.
    bool untaken = false;
  };

  Status TakeMessage(std::string_view message);
  Status TakeChange(char tag, std::string_view body);
  Status TakeStreamStart(std::string_view body);
  Status TakeStreamCommit(std::string_view body);
  Status TakeStreamAbort(std::string_view body);
  Status ReadAllAgain();
  /// Add the subtransactions that were rolled back without a Stream Abort; returns whether the
  /// server still knew of all.
  Result<bool> AddUntoldAborts(StreamedTransactions::Committed* committed);
  Status TakeReplayed(std::string_view message);
  Status ReadOnReplay();
  void Begin(const BeginMessage& begin);
  void EndTransaction(const CommitMessage& commit);
  Status TakeBegin(std::string_view body);
  Status TakeCommit(std::string_view body);
  Status TakeRow(char tag, std::string_view body);
  Status TakeRelation(std::string_view body);
  Status KeepRelation(std::string_view body);
  Status TakeTruncate(std::string_view body);
  Status TakeKeepalive(std::string_view body);
  Status TruncatePartitions(Table* table, const std::set<uint32_t>& truncated, record::Sequence at);
  /// Find out by the catalog whose rows a relation's are.
  Status Settle(uint32_t oid, Relation* relation);
  Table* OwnerOf(uint32_t oid);
  /// Take the partitions as they are by now; a table that consists of others than was returned
  /// last is announced.
  Status TakeLeaves(const std::vector<Leaf>& leaves, const std::set<uint32_t>& roots);
  Status Fit(Relation* relation);
  Status FlushTable(Table* table);
  Status FlushAll();
  Status CloseCommit();
  void Fail(Table* table, Status why);
  Status CompareMemos(const std::map<uint32_t, std::string>& kept);
  Status Forget(Table* table);
  bool CommitDue(MonotonicTime now) const;
  /// Read on until an event is ready or the deadline passed; false: nothing came.
  Result<bool> Advance(Deadline deadline);
  Result<std::optional<record::StreamEvent>> WhenQuiet(Deadline deadline);
  record::StreamEvent TakeReady();
  record::Sequence NextSequence();

  const Origin origin_;
  const Lsn start_;
  const std::unique_ptr<Connection> side_;
  FenceAsker fence_asker_;
  HeldBack held_back_;
  const std::unique_ptr<Receiver> receiver_;

  std::unordered_map<uint32_t, Table> tables_;
  std::unordered_map<uint32_t, Relation> relations_;
  std::unordered_map<uint32_t, uint32_t> roots_;      // partition → the followed table it is of
  std::map<record::TableId, std::string> memos_due_;  // to be taken
  std::deque<record::StreamEvent> ready_;
  std::optional<WireBlock> block_;
  RowMessage row_;
  size_t open_bytes_ = 0;
  int64_t nulled_before_ = 0;

  // The transaction being read.
  bool in_transaction_ = false;
  BeginMessage begin_;
  uint64_t ordinal_ = 0;

  // Transactions that have not ended, and the one that just committed while it is taken: `waiting_`
  // is what the wire brought after its commit.
  StreamedTransactions streamed_;
  std::optional<StreamedReplay> replay_;
  CommitMessage replay_end_;
  std::optional<WireBlock> waiting_;

  // The newest commit read, and whether its Commit is still to be returned.
  Lsn seen_ = 0;
  Lsn returned_ = 0;
  bool commit_open_ = false;
  MonotonicTime commit_since_{};
  MonotonicTime returned_at_{};
  UtcMicros committed_at_ = 0;
  bool position_wanted_ = false;
  bool was_idle_ = false;
  std::optional<Lsn> fence_;
};

}  // namespace freshet::sources::postgres
