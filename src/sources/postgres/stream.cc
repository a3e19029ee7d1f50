// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/stream.h"

#include <algorithm>

#include "base/limits.h"
#include "sources/postgres/slot.h"

namespace freshet::sources::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How often the server is asked again while its position has not passed the fence.
constexpr milliseconds kAskInterval{5};
constexpr std::chrono::seconds kBehindInterval{1};

}  // namespace

PostgresStream::PostgresStream(Origin origin, Lsn start, std::unique_ptr<Connection> side,
                               std::unique_ptr<Receiver> receiver)
    : origin_(std::move(origin)),
      start_(start),
      side_(std::move(side)),
      fence_asker_(side_.get()),
      held_back_(side_.get(), origin_.config),
      receiver_(std::move(receiver)),
      streamed_(origin_.config.scratch_folder),
      seen_(start),
      returned_(start),
      returned_at_(steady_clock::now()) {}

Status PostgresStream::Fence() {
  fence_asker_.Restart();
  FRESHET_CHECK_OK(fence_asker_.Ask(steady_clock::now()));
  fence_ = fence_asker_.inserted();
  return Status::Ok();
}

Result<std::set<record::TableId>> PostgresStream::Watch(
    std::vector<std::shared_ptr<const record::TableShape>> shapes) {
  FRESHET_TRY(auto published, PublishTables(side_.get(), origin_.config, shapes));
  const auto& left_out = published.left_out;
  std::set<uint32_t> watched;
  std::map<uint32_t, std::string> kept;
  for (auto& shape : shapes) {
    FRESHET_TRY(uint32_t oid, OidOf(shape->id));
    watched.insert(oid);
    kept[oid] = shape->memo;
    Table& table = tables_[oid];
    auto why = left_out.find(shape->id);
    // Of a table that is gone, changes may still be on their way; discovery says when it ended.
    bool gone = why != left_out.end() && why->second.Is(ErrorClass::NOT_FOUND);
    if (why != left_out.end() && !gone && !(table.shape != nullptr && table.failed)) {
      table.shape = std::move(shape);
      Fail(&table, why->second);
    } else if (table.shape == nullptr || !table.shape->SameColumns(*shape) ||
               table.shape->version != shape->version) {
      FRESHET_CHECK_OK(Forget(&table));
      table.shape = std::move(shape);
    }
  }
  for (auto& [oid, table] : tables_) {
    if (table.shape == nullptr || watched.contains(oid)) continue;
    FRESHET_CHECK_OK(Forget(&table));
    table.partitions.clear();
  }
  FRESHET_CHECK_OK(CompareMemos(kept));
  roots_.clear();
  FRESHET_TRY(auto leaves, ReadLeaves(side_.get(), origin_.config.publication, watched));
  FRESHET_CHECK_OK(TakeLeaves(leaves, watched));
  return std::move(published.locked);
}

/// A table that is in the publication by another entry than before was out of it in between,
/// however short that was. The new one is not kept before somebody heard of that.
Status PostgresStream::CompareMemos(const std::map<uint32_t, std::string>& kept) {
  FRESHET_TRY(auto memos, ReadMemos(side_.get(), origin_.config.publication));
  for (const auto& [oid, former] : kept) {
    Table& table = tables_[oid];
    auto now = memos.find(oid);
    if (!table.followed() || now == memos.end() || now->second == former) continue;
    if (former.empty()) {
      memos_due_[table.shape->id] = now->second;
    } else {
      Fail(&table, LostChanges(origin_.config.publication));
    }
  }
  return Status::Ok();
}

Status PostgresStream::Forget(Table* table) {
  FRESHET_CHECK_OK(FlushTable(table));
  if (table->changes != nullptr) nulled_before_ += table->changes->values_nulled();
  table->changes.reset();
  table->shape.reset();
  table->failed = false;
  for (auto& [oid, relation] : relations_) {
    if (relation.table == table) relation.layout.reset();
  }
  return Status::Ok();
}

Status PostgresStream::Acknowledge(const record::Cursor& durable) {
  if (durable.text.empty()) return Status::Ok();
  FRESHET_TRY(Position position, FromCursor(durable));
  receiver_->Confirm(position.lsn);
  return Status::Ok();
}

int64_t PostgresStream::BytesBehind() const {
  if (fence_asker_.flushed() == 0) return -1;
  return fence_asker_.flushed() > returned_
             ? static_cast<int64_t>(fence_asker_.flushed() - returned_)
             : 0;
}

int64_t PostgresStream::values_nulled() const {
  int64_t sum = nulled_before_;
  for (const auto& [oid, table] : tables_) {
    if (table.changes != nullptr) sum += table.changes->values_nulled();
  }
  return sum;
}

record::StreamEvent PostgresStream::TakeReady() {
  record::StreamEvent event = std::move(ready_.front());
  ready_.pop_front();
  return event;
}

bool PostgresStream::CommitDue(MonotonicTime now) const {
  if (!commit_open_ || in_transaction_) return false;
  return now >= commit_since_ + limits::kCommitDelayMax || open_bytes_ >= limits::kBatchBytesMax ||
         (fence_ && Passes(seen_, *fence_));
}

Result<record::StreamEvent> PostgresStream::Next(Deadline deadline) {
  while (true) {
    if (!ready_.empty()) return TakeReady();
    auto now = steady_clock::now();
    if (CommitDue(now)) {
      FRESHET_CHECK_OK(CloseCommit());
      continue;
    }
    FRESHET_TRY(bool advanced, Advance(deadline));
    if (advanced) continue;
    FRESHET_TRY(auto event, WhenQuiet(deadline));
    if (event) return *std::move(event);
  }
}

/// Decode what has come. With an open commit, wait a little for more to share its batches, then
/// close it.
Result<bool> PostgresStream::Advance(Deadline deadline) {
  while (ready_.empty()) {
    if (!block_ && replay_) FRESHET_CHECK_OK(ReadOnReplay());
    if (!block_) {
      auto now = steady_clock::now();
      block_ = receiver_->Pop(now);
      bool waits = !block_ && commit_open_ && !in_transaction_;
      if (waits)
        block_ =
            receiver_->Pop(std::min({deadline, now + Receiver::kGatherTime + limits::kWireQuietMax,
                                     commit_since_ + limits::kCommitDelayMax}));
      if (!block_ && waits) {
        FRESHET_CHECK_OK(CloseCommit());
        return true;
      }
      if (!block_) return false;
    }
    while (auto message = block_->Next()) {
      FRESHET_CHECK_OK(TakeMessage(*message));
      bool full = open_bytes_ >= 2 * limits::kBatchBytesMax;
      if (full && in_transaction_) FRESHET_CHECK_OK(FlushAll());
      if (!ready_.empty() || (commit_open_ && !in_transaction_ && (full || fence_))) break;
    }
    if (!block_->HasMore()) block_.reset();
    auto now = steady_clock::now();
    if (CommitDue(now)) return true;
    if (now - fence_asker_.asked_at() >= kBehindInterval) {
      FRESHET_CHECK_OK(fence_asker_.Ask(now));
    }
    if (ready_.empty() && now >= deadline) return false;
  }
  return true;
}

/// Nothing waits: find out whether the source is idle, while waiting for the wire. Nothing is
/// returned when something came.
Result<std::optional<record::StreamEvent>> PostgresStream::WhenQuiet(Deadline deadline) {
  if (block_ || replay_) return std::optional<record::StreamEvent>(record::Nothing{});
  if (Status ended = receiver_->status(); !ended.ok()) return ended;
  std::optional<Lsn> fence;
  fence_asker_.Restart();
  while (!block_) {
    auto now = steady_clock::now();
    if (!fence && !in_transaction_ && !commit_open_) {
      FRESHET_TRY(fence, fence_asker_.Ask(now));
    }
    bool idle = fence && Passes(seen_, *fence) && !in_transaction_ && !commit_open_;
    // A caller that set a fence is about to end: what was read of the log must not stay pinned
    // until the next run.
    bool position_due =
        position_wanted_ || fence_ || now - returned_at_ >= limits::kIdlePositionInterval;
    if (idle && seen_ > returned_ && position_due) {
      FRESHET_CHECK_OK(CloseCommit());
      return std::optional(TakeReady());
    }
    if (idle) held_back_.Passed();
    // One Idle at once; more of them only as often as the caller's deadline, so that nobody spins.
    if (idle && (!was_idle_ || fence_ || now >= deadline)) {
      was_idle_ = true;
      fence_.reset();
      return std::optional<record::StreamEvent>(record::Idle{});
    }
    if (now >= deadline) return std::optional<record::StreamEvent>(record::Nothing{});
    if (fence && !idle) {
      receiver_->RequestPosition();
      FRESHET_CHECK_OK(held_back_.Look(seen_, now));
      if (fence_) FRESHET_CHECK_OK(fence_asker_.Urge(seen_, now));
    }
    block_ =
        receiver_->Pop(idle || in_transaction_ ? deadline : std::min(deadline, now + kAskInterval));
    if (!block_) {
      if (Status ended = receiver_->status(); !ended.ok()) return ended;
      continue;
    }
    while (auto message = block_->Next()) {
      FRESHET_CHECK_OK(TakeMessage(*message));
      if (in_transaction_ || commit_open_ || !ready_.empty())
        return std::optional<record::StreamEvent>();
    }
    block_.reset();
  }
  return std::optional<record::StreamEvent>();
}

Status PostgresStream::TakeMessage(std::string_view message) {
  if (replay_) return TakeReplayed(message);
  if (message.empty()) return Error(ErrorClass::SOURCE_PROTOCOL, "an empty replication message");
  if (message[0] == 'k') return TakeKeepalive(message.substr(1));
  if (message[0] != 'w')
    return Error(ErrorClass::SOURCE_PROTOCOL, "unknown replication message: {}",
                 static_cast<int>(message[0]));
  auto payload = ParseXLogData(message.substr(1));
  if (!payload) return Error(ErrorClass::SOURCE_PROTOCOL, "a message of changes is cut short");
  Status status = streamed_.open() ? streamed_.Take(*payload)
                                   : TakeChange(payload->front(), payload->substr(1));
  if (status.Is(ErrorClass::SOURCE_PROTOCOL))
    return std::move(status).With("message", payload->substr(0, 1));
  return status;
}

Status PostgresStream::TakeChange(char tag, std::string_view body) {
  switch (tag) {
    case 'I':
    case 'U':
    case 'D':
      return TakeRow(tag, body);
    case 'B':
      return TakeBegin(body);
    case 'C':
      return TakeCommit(body);
    case 'R':
      return TakeRelation(body);
    case 'T':
      return TakeTruncate(body);
    case 'S':
      return TakeStreamStart(body);
    case 'c':
      return TakeStreamCommit(body);
    case 'A':
      return TakeStreamAbort(body);
    // Types, origins and logical messages say nothing that we need.
    case 'Y':
    case 'O':
    case 'M':
      return Status::Ok();
    default:
      return Error(ErrorClass::SOURCE_PROTOCOL, "unknown message of changes");
  }
}

Status PostgresStream::TakeBegin(std::string_view body) {
  auto begin = ParseBegin(body);
  if (!begin) return Error(ErrorClass::SOURCE_PROTOCOL, "bad Begin");
  Begin(*begin);
  return Status::Ok();
}

Status PostgresStream::TakeCommit(std::string_view body) {
  auto commit = ParseCommit(body);
  if (!commit) return Error(ErrorClass::SOURCE_PROTOCOL, "bad Commit");
  EndTransaction(*commit);
  return Status::Ok();
}

void PostgresStream::Begin(const BeginMessage& begin) {
  begin_ = begin;
  in_transaction_ = true;
  was_idle_ = false;
  ordinal_ = 0;
}

void PostgresStream::EndTransaction(const CommitMessage& commit) {
  in_transaction_ = false;
  seen_ = std::max(seen_, commit.end_lsn);
  committed_at_ = commit.committed_at;
  if (!commit_open_) commit_since_ = steady_clock::now();
  commit_open_ = true;
}

Status PostgresStream::TakeKeepalive(std::string_view body) {
  auto keepalive = ParseKeepalive(body);
  if (!keepalive) return Error(ErrorClass::SOURCE_PROTOCOL, "bad keepalive");
  // Everything that committed before this position has been sent. A server that wants an answer may
  // be waiting, to shut down, for its whole log to be confirmed.
  if (!in_transaction_) seen_ = std::max(seen_, keepalive->end_lsn);
  position_wanted_ = position_wanted_ || keepalive->reply_requested;
  return Status::Ok();
}

record::Sequence PostgresStream::NextSequence() {
  return record::Sequence::Of(origin_.epoch, begin_.commit_lsn, ++ordinal_);
}

Status PostgresStream::TakeRow(char tag, std::string_view body) {
  auto oid = ParseOid(body);
  if (!oid) return Error(ErrorClass::SOURCE_PROTOCOL, "bad row");
  // Numbers go by messages, not by what is followed: sending a transaction again gives the same
  // ones.
  record::Sequence first = NextSequence();
  record::Sequence second = NextSequence();
  Relation& relation = relations_[*oid];
  if (relation.untaken) {
    relation.untaken = false;
    FRESHET_CHECK_OK(Settle(*oid, &relation));
  }
  if (relation.table == nullptr) relation.table = OwnerOf(*oid);
  Table& table = *relation.table;
  if (!table.followed()) return Status::Ok();
  if (!relation.layout) {
    FRESHET_CHECK_OK(Fit(&relation));
    if (!table.followed()) return Status::Ok();
  }
  if (!ParseRow(tag, body, &row_)) return Error(ErrorClass::SOURCE_PROTOCOL, "bad row");
  size_t before = table.changes->bytes();
  Status status =
      table.changes->Add(tag, row_, *relation.layout, {first, second, begin_.committed_at});
  // What a row that does not fit added goes with all the rest.
  open_bytes_ += table.changes->bytes() - before;
  if (!status.ok()) {
    Fail(&table, std::move(status));
    return Status::Ok();
  }
  bool full = table.changes->bytes() >= limits::kBatchBytesMax ||
              table.changes->rows() >= limits::kBatchRowsMax;
  return full ? FlushTable(&table) : Status::Ok();
}

Status PostgresStream::TakeRelation(std::string_view body) {
  auto message = ParseRelation(body);
  if (!message) return Error(ErrorClass::SOURCE_PROTOCOL, "bad Relation");
  uint32_t oid = message->oid;
  Relation& relation = relations_[oid];
  if (replay_) {
    // Described anew after each rollback to a savepoint. The catalog, which has the transaction's
    // work by now, was asked for the first one.
    bool known = relation.taken_from == begin_.commit_lsn && relation.message == message;
    relation.taken_from = begin_.commit_lsn;
    if (known) return Status::Ok();
  }
  relation.message = std::move(message);
  relation.untaken = false;
  FRESHET_CHECK_OK(Settle(oid, &relation));
  return relation.table->followed() ? Fit(&relation) : Status::Ok();
}

/// Compare the relation's newest message with its table's shape, and begin to collect its rows in
/// what came out of it.
Status PostgresStream::Fit(Relation* relation) {
  if (!relation->message)
    return Error(ErrorClass::SOURCE_PROTOCOL, "a row came before its table's description");
  Table* table = relation->table;
  FRESHET_TRY(RelationFit fit,
              FitRelation(side_.get(), *relation->message, table->shape, origin_.config));
  if (!fit.problem.ok()) {
    FRESHET_CHECK_OK(FlushTable(table));
    Fail(table, std::move(fit.problem));
    return Status::Ok();
  }
  if (fit.shape != table->shape) {
    FRESHET_CHECK_OK(FlushTable(table));
    record::Sequence at = record::Sequence::Of(origin_.epoch, begin_.commit_lsn, ordinal_);
    ready_.emplace_back(record::TableEvent(record::ShapeChange{table->shape, fit.shape, at}));
    table->shape = fit.shape;
    if (table->changes != nullptr) nulled_before_ += table->changes->values_nulled();
    table->changes.reset();
    for (auto& [oid, each] : relations_) {
      if (each.table == table) each.layout.reset();
    }
  }
  if (table->changes == nullptr) table->changes = std::make_unique<TableChanges>(table->shape);
  relation->layout.emplace(table->shape->width(), fit.ordinals, fit.whole_old_rows);
  return Status::Ok();
}

Status PostgresStream::TakeTruncate(std::string_view body) {
  auto truncate = ParseTruncate(body);
  if (!truncate) return Error(ErrorClass::SOURCE_PROTOCOL, "bad Truncate");
  record::Sequence at = NextSequence();
  std::map<Table*, std::set<uint32_t>> partitions;
  for (uint32_t oid : truncate->oids) {
    Table* table = OwnerOf(oid);
    if (!table->followed()) continue;
    if (roots_.contains(oid)) {
      partitions[table].insert(oid);
      continue;
    }
    FRESHET_CHECK_OK(FlushTable(table));
    ready_.emplace_back(record::TableEvent(record::TableEnd{
        record::TableEnd::Kind::kTruncated, table->shape->id, at, begin_.committed_at}));
  }
  for (const auto& [table, truncated] : partitions)
    FRESHET_CHECK_OK(TruncatePartitions(table, truncated, at));
  return Status::Ok();
}

void PostgresStream::Fail(Table* table, Status why) {
  table->failed = true;
  if (table->changes != nullptr) {
    nulled_before_ += table->changes->values_nulled();
    FRESHET_ASSERT(open_bytes_ >= table->changes->bytes());
    open_bytes_ -= table->changes->bytes();
    table->changes.reset();
  }
  ready_.emplace_back(record::TableEvent(record::TableFailed{
      table->shape->id, std::move(why).With("table", table->shape->name.ToString())}));
}

Status PostgresStream::FlushTable(Table* table) {
  if (table->changes == nullptr || table->changes->rows() == 0) return Status::Ok();
  open_bytes_ -= table->changes->bytes();
  FRESHET_TRY(record::ChangeBatch batch, table->changes->Finish());
  ready_.emplace_back(record::TableEvent(std::move(batch)));
  return Status::Ok();
}

Status PostgresStream::FlushAll() {
  for (auto& [oid, table] : tables_) FRESHET_CHECK_OK(FlushTable(&table));
  return Status::Ok();
}

Status PostgresStream::CloseCommit() {
  FRESHET_CHECK_OK(FlushAll());
  ready_.emplace_back(
      record::Commit{ToCursor({seen_, origin_.epoch, origin_.identity}), committed_at_});
  commit_open_ = false;
  position_wanted_ = false;
  returned_ = seen_;
  returned_at_ = steady_clock::now();
  if (fence_ && Passes(seen_, *fence_)) {
    ready_.emplace_back(record::Idle{});
    fence_.reset();
  }
  return Status::Ok();
}

}  // namespace freshet::sources::postgres
