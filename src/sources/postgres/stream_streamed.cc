// SPDX-License-Identifier: Apache-2.0
// The stream's part that takes transactions which the server sends before they end. Nothing of them
// counts until they commit: neither as a position nor as something that idleness waits for.
#include <fmt/ranges.h>

#include <vector>

#include "sources/postgres/stream.h"

namespace freshet::sources::postgres {
namespace {

/// How (sub)transactions ended, whose numbers come without their epoch: each is the one nearest to
/// the newest. NULL: the server no longer knows. Source: PostgreSQL, "Transaction ID and Snapshot
/// Information Functions".
constexpr char kEnds[] =
    "SELECT x, pg_xact_status((near - mod(near - x, 4294967296))::text::xid8) "
    "FROM unnest($1::bigint[]) x, (SELECT 2147483648 + "
    "pg_snapshot_xmax(pg_current_snapshot())::text::numeric AS near) n";
constexpr size_t kAskedMax = 10'000;

}  // namespace

Status PostgresStream::TakeStreamStart(std::string_view body) {
  auto start = ParseStreamStart(body);
  if (!start) return Error(ErrorClass::SOURCE_PROTOCOL, "bad Stream Start");
  return streamed_.Start(*start);
}

Status PostgresStream::TakeStreamAbort(std::string_view body) {
  auto abort = ParseStreamAbort(body);
  if (!abort) return Error(ErrorClass::SOURCE_PROTOCOL, "bad Stream Abort");
  streamed_.Abort(*abort);
  return Status::Ok();
}

/// From here until the replay's end its messages come before those that the wire brings.
Status PostgresStream::TakeStreamCommit(std::string_view body) {
  auto commit = ParseStreamCommit(body);
  if (!commit) return Error(ErrorClass::SOURCE_PROTOCOL, "bad Stream Commit");
  FRESHET_TRY(auto committed, streamed_.Commit(commit->transaction));
  FRESHET_TRY(bool sure, AddUntoldAborts(&committed));
  replay_.emplace(streamed_.scratch(), std::move(committed.bytes), std::move(committed.aborted));
  replay_end_ = commit->commit;
  waiting_ = std::exchange(block_, WireBlock());
  Begin(commit->begin);
  return sure ? Status::Ok() : ReadAllAgain();
}

/// The server tells no Stream Abort of a subtransaction that it had spilled to its disk before it
/// streamed it: it then takes it for one that it never sent (ReorderBufferTruncateTXN marks it by
/// what of it is in memory). It does know how each ended.
Result<bool> PostgresStream::AddUntoldAborts(StreamedTransactions::Committed* committed) {
  TransactionSet asked = committed->subtransactions;
  asked -= committed->aborted;
  bool sure = true;
  for (auto next = asked.begin(); next != asked.end();) {
    std::vector<uint32_t> some;
    for (; next != asked.end() && some.size() < kAskedMax; ++next) some.push_back(*next);
    FRESHET_TRY(Rows rows, side_->Query(kEnds, {fmt::format("{{{}}}", fmt::join(some, ","))}));
    for (int row = 0; row < rows.size(); ++row) {
      sure = sure && !rows.null(row, 1);
      if (rows.text(row, 1) == "aborted") committed->aborted.add(rows.oid(row, 0));
    }
  }
  return sure;
}

/// What a transaction rolled back of itself is known no longer: its rows may be among those that
/// follow.
Status PostgresStream::ReadAllAgain() {
  record::Sequence at = record::Sequence::Of(origin_.epoch, begin_.commit_lsn, ordinal_);
  for (auto& [oid, table] : tables_) {
    if (!table.followed()) continue;
    ready_.emplace_back(record::TableEvent(record::RowsUntold{
        table.shape->id, at,
        "a large transaction is so old that the server forgot what it rolled back of itself"}));
  }
  return Status::Ok();
}

Status PostgresStream::TakeReplayed(std::string_view message) {
  // The number of the (sub)transaction has done its work.
  std::string_view body = message.substr(1 + sizeof(uint32_t));
  Status status =
      StreamedReplay::Counts(message) ? TakeChange(message[0], body) : KeepRelation(body);
  if (status.Is(ErrorClass::SOURCE_PROTOCOL))
    return std::move(status).With("message", message.substr(0, 1));
  return status;
}

/// A description that was rolled back is not the table's, but where the server does not know that
/// it is to be forgotten, it is all that there is for the rows that follow.
Status PostgresStream::KeepRelation(std::string_view body) {
  auto message = ParseRelation(body);
  if (!message) return Error(ErrorClass::SOURCE_PROTOCOL, "bad Relation");
  Relation& relation = relations_[message->oid];
  if (relation.message == message) return Status::Ok();
  relation.message = std::move(message);
  relation.layout.reset();
  relation.taken_from = 0;
  relation.untaken = true;
  return Status::Ok();
}

/// REQUIRES: replay_, no block_.
Status PostgresStream::ReadOnReplay() {
  FRESHET_TRY(block_, replay_->Next());
  if (block_) return Status::Ok();
  replay_.reset();
  block_ = std::exchange(waiting_, std::nullopt);
  EndTransaction(replay_end_);
  return Status::Ok();
}

}  // namespace freshet::sources::postgres
