// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/cursor_stream.h"

#include <poll.h>

#include <algorithm>
#include <chrono>

#include "base/limits.h"

namespace freshet::sources::postgres {
namespace {

/// How often a run that stays reads its tables.
constexpr std::chrono::seconds kReadInterval{30};

Result<std::optional<CursorMark>> ReadMark(Connection* connection, const QueriedTable& table) {
  FRESHET_TRY(Rows rows, connection->Query(MarkQuery(table.plan, table.from)));
  if (rows.empty()) return std::optional<CursorMark>();
  CursorMark mark;
  for (size_t i = 0; i < table.plan.cursor.size(); ++i)
    mark.emplace_back(rows.text(0, static_cast<int>(i)));
  // With room for what else is kept of the table.
  if (ToMemo({.mark = mark, .swept = {}, .since = {}}).size() > limits::kTableMemoBytesMax / 2) {
    return Error(ErrorClass::CURSOR_UNSUITABLE,
                 "the highest value of the cursor columns is longer than {} bytes",
                 limits::kTableMemoBytesMax / 2)
        .WithRemedy("Give cursor columns with shorter values, or exclude the table.");
  }
  return std::optional<CursorMark>(std::move(mark));
}

Result<int64_t> CountRows(Connection* connection, const QueriedTable& table) {
  std::string alive = AliveCondition(table.plan.deletion_condition);
  FRESHET_TRY(Rows rows,
              connection->Query(fmt::format("SELECT count(*) FROM {} WHERE {}", table.from,
                                            alive.empty() ? "true" : alive)));
  return rows.number(0, 0);
}

}  // namespace

Status QueriedStream::Begin(std::vector<std::shared_ptr<const record::TableShape>> shapes,
                            bool from_now) {
  FRESHET_TRY(connection_, Connection::Connect(config_, Connection::Mode::kQuery));
  // A table that somebody holds locked is left to its next read; the others are read.
  FRESHET_CHECK_OK(connection_->LimitLockWaits());
  read_at_ = std::chrono::steady_clock::now() + kReadInterval;
  if (from_now) {
    FRESHET_CHECK_OK(TakeMoment());
    FRESHET_CHECK_OK(connection_->Execute("COMMIT"));
    position_.moment = moment_;
    position_.lsn = lsn_;
    return Watch(std::move(shapes)).status();
  }
  for (auto& [table, notes] : position_.notes) notes_[record::TableId(table)] = std::move(notes);
  for (auto& shape : shapes) {
    auto id = shape->id;
    if (!shape->memo.empty()) {
      FRESHET_TRY(notes_[id], NotesFromMemo(shape->memo));
      told_[id] = shape->memo;
    }
    shapes_[id] = std::move(shape);
  }
  return Status::Ok();
}

/// A table that comes new is read by its snapshot, later than this; its mark is taken now.
Result<std::set<record::TableId>> QueriedStream::Watch(
    std::vector<std::shared_ptr<const record::TableShape>> shapes) {
  std::map<record::TableId, std::shared_ptr<const record::TableShape>> watched;
  for (auto& shape : shapes) {
    auto id = shape->id;
    bool known = shapes_.contains(id);
    // Whoever reads it anew has let go of what was kept.
    if (shape->memo.empty()) told_.erase(id);
    watched[id] = std::move(shape);
    if (known || reading_) continue;
    notes_.erase(id);
    FRESHET_CHECK_OK(TakeFirstMark(id));
  }
  shapes_ = std::move(watched);
  return std::set<record::TableId>();
}

Status QueriedStream::TakeFirstMark(const record::TableId& id) {
  FRESHET_TRY(uint32_t oid, OidOf(id));
  auto table = ReadQueriedTable(connection_.get(), oid, config_);
  if (table.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();
  FRESHET_CHECK_OK(table);
  if (!table->table.problem.ok() || table->plan.by_transaction) return Status::Ok();
  auto mark = ReadMark(connection_.get(), *table);
  // Its reads say what is wrong with it.
  if (!mark.ok()) return connection_->usable() ? Status::Ok() : mark.status();
  notes_[id].mark = *mark;
  return Status::Ok();
}

std::map<record::TableId, std::string> QueriedStream::TakeMemos() {
  std::map<record::TableId, std::string> taken;
  for (const auto& [id, shape] : shapes_) {
    auto notes = notes_.find(id);
    std::string memo = notes == notes_.end() ? "" : ToMemo(notes->second);
    std::string& told = told_[id];
    if (told == memo) continue;
    told = memo;
    taken[id] = std::move(memo);
  }
  return taken;
}

/// The moment is taken by the transaction's first statement; the place in the log after it, so that
/// a read is never placed before a snapshot that saw less.
Status QueriedStream::TakeMoment() {
  FRESHET_CHECK_OK(connection_->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  FRESHET_TRY(Rows rows,
              connection_->Query(fmt::format(
                  "SELECT pg_snapshot_xmin(s)::text, pg_snapshot_xmax(s)::text, {}, (extract(epoch "
                  "FROM clock_timestamp()) * 1000000)::int8 FROM pg_current_snapshot() s",
                  kTimeline)));
  moment_ = {.xmin = static_cast<uint64_t>(rows.number(0, 0)),
             .xmax = static_cast<uint64_t>(rows.number(0, 1)),
             .timeline = rows.oid(0, 2)};
  taken_at_ = rows.number(0, 3);
  FRESHET_TRY(Rows place, connection_->Query(fmt::format("SELECT {}", kLogPlace)));
  FRESHET_TRY(lsn_, ParseLsn(place.text(0, 0)));
  return Status::Ok();
}

Status QueriedStream::BeginRead() {
  answers_fence_ = std::exchange(fence_, false);
  FRESHET_CHECK_OK(TakeMoment());
  // Two reads with nothing in the log between them are told apart, and the later one wins.
  ordinal_ = (position_.read + 1) << 32U;
  read_notes_ = notes_;
  for (const auto& [id, shape] : shapes_) left_.push_back(id);
  reading_ = true;
  return Status::Ok();
}

Status QueriedStream::BeginTable() {
  table_ = left_.back();
  left_.pop_back();
  if (!shapes_.contains(table_)) return Status::Ok();
  shape_changed_ = refused_ = false;
  // What fails for one table ends neither the transaction nor the read.
  FRESHET_CHECK_OK(connection_->Execute("SAVEPOINT freshet_table"));
  TableNotes notes = read_notes_[table_];
  Status opened = OpenTable(&notes);
  if (opened.Is(ErrorClass::NOT_FOUND)) return EndTable();  // discovery says so
  if (!opened.ok()) return LeaveTable(std::move(opened));
  notes.since.reset();
  read_notes_[table_] = std::move(notes);
  return Status::Ok();
}

Status QueriedStream::OpenTable(TableNotes* notes) {
  FRESHET_TRY(uint32_t oid, OidOf(table_));
  FRESHET_TRY(auto table, ReadQueriedTable(connection_.get(), oid, config_));
  FRESHET_CHECK_OK(table.table.problem);
  FRESHET_CHECK_OK(FitShape(table));
  const auto mark = notes->mark;
  if (!table.plan.by_transaction) {
    FRESHET_TRY(notes->mark, ReadMark(connection_.get(), table));
  }
  FRESHET_CHECK_OK(Sweep(table, notes));
  // A column that was added has a value in rows that nobody wrote since.
  std::string condition =
      shape_changed_
          ? "true"
          : ChangedCondition(table.plan, mark, notes->since.value_or(position_.moment), moment_);
  FRESHET_TRY(reader_,
              QueriedReader::Open(connection_.get(), table, shapes_.at(table_), condition));
  return Status::Ok();
}

/// Whether the change can be followed is the gateway's to say.
Status QueriedStream::FitShape(const QueriedTable& table) {
  FRESHET_TRY(record::TableShape now, ToShape(table.table));
  auto& shape = shapes_.at(now.id);
  if (now.SameColumns(*shape)) return Status::Ok();
  shape_changed_ = true;
  now.version = shape->version + 1;
  auto after = std::make_shared<const record::TableShape>(std::move(now));
  ready_.emplace_back(record::TableEvent(record::ShapeChange{shape, after, At()}));
  shape = after;
  return Status::Ok();
}

/// Rows that are gone leave no trace to ask for: the table is read anew at intervals.
Status QueriedStream::Sweep(const QueriedTable& table, TableNotes* notes) {
  if (table.rule.sweep_seconds < 0) return Status::Ok();
  constexpr int64_t kMicros = 1'000'000;
  int64_t now = taken_at_ / kMicros;
  const auto last = notes->swept;
  bool due = last && now >= last->at_seconds + table.rule.sweep_seconds;
  if (last && !due) return Status::Ok();
  FRESHET_TRY(int64_t rows, CountRows(connection_.get(), table));
  if (due) {
    auto before = static_cast<double>(last->rows);
    if (static_cast<double>(rows) < before * (1 - table.rule.sweep_fraction_max)) {
      refused_ = true;
      TellUnread(Error(ErrorClass::SWEEP_REFUSED,
                       "the table has {} rows and had {}: a sweep would delete more than "
                       "hard_deletion_max_fraction, {}, allows",
                       rows, last->rows, table.rule.sweep_fraction_max));
      return Status::Ok();
    }
    auto at = record::Sequence::Of(moment_.timeline, lsn_, 0);
    ready_.emplace_back(
        record::TableEvent(record::RowsUntold{table_, at, "rows may be gone: its sweep is due"}));
  }
  notes->swept = Swept{.at_seconds = now, .rows = rows};
  return Status::Ok();
}

Status QueriedStream::EndTable() {
  FRESHET_CHECK_OK(connection_->Execute("RELEASE SAVEPOINT freshet_table"));
  if (reader_ == nullptr) return Status::Ok();
  nulled_ += reader_->values_nulled();
  reader_.reset();
  if (!refused_ && unread_.erase(table_) > 0)
    ready_.emplace_back(record::TableEvent(record::TableUnread{table_, Status::Ok()}));
  return Status::Ok();
}

Status QueriedStream::LeaveTable(Status why) {
  if (reader_ != nullptr) nulled_ += reader_->values_nulled();
  reader_.reset();
  if (!connection_->Execute("ROLLBACK TO SAVEPOINT freshet_table").ok()) return why;
  TableNotes& notes = read_notes_[table_];
  const auto former = notes_.find(table_);
  notes = former == notes_.end() ? TableNotes() : former->second;
  if (!notes.since) notes.since = position_.moment;
  // A shape that was told is told no more: all of it is read. There is no timeline 0.
  if (shape_changed_) notes = {.mark = {}, .swept = notes.swept, .since = ReadMoment()};
  TellUnread(std::move(why));
  return Status::Ok();
}

void QueriedStream::TellUnread(Status why) {
  unread_.insert(table_);
  ready_.emplace_back(record::TableEvent(record::TableUnread{
      table_, std::move(why).With("table", shapes_.at(table_)->name.ToString())}));
}

Status QueriedStream::EndRead() {
  FRESHET_CHECK_OK(connection_->Execute("COMMIT"));
  reading_ = false;
  position_.read += 1;
  position_.moment = moment_;
  position_.lsn = lsn_;
  notes_ = std::move(read_notes_);
  ready_.emplace_back(record::Commit{ToCursor(position_), taken_at_});
  if (answers_fence_) ready_.emplace_back(record::Idle{});
  read_at_ = std::chrono::steady_clock::now() + kReadInterval;
  return Status::Ok();
}

Result<record::StreamEvent> QueriedStream::FromRead() {
  while (ready_.empty()) {
    if (reader_ != nullptr) {
      auto rows = reader_->Next(moment_.timeline, lsn_, &ordinal_, taken_at_);
      if (!rows.ok()) {
        FRESHET_CHECK_OK(LeaveTable(rows.status()));
      } else if (*rows != nullptr) {
        return record::StreamEvent(
            record::TableEvent(record::ChangeBatch{reader_->shape(), std::move(*rows)}));
      } else {
        FRESHET_CHECK_OK(EndTable());
      }
    } else if (!left_.empty()) {
      FRESHET_CHECK_OK(BeginTable());
    } else {
      FRESHET_CHECK_OK(EndRead());
    }
  }
  auto event = std::move(ready_.front());
  ready_.pop_front();
  return event;
}

Result<record::StreamEvent> QueriedStream::Next(Deadline deadline) {
  auto now = std::chrono::steady_clock::now();
  if (ready_.empty() && !reading_) {
    if (!fence_ && now < read_at_) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(std::min(deadline, read_at_) - now);
      if (left.count() > 0) poll(nullptr, 0, static_cast<int>(left.count()));
      return record::StreamEvent(record::Nothing{});
    }
    FRESHET_CHECK_OK(BeginRead());
  }
  return FromRead();
}

Result<std::unique_ptr<ChangeStream>> OpenQueriedChanges(
    const Config& config, const std::string& identity,
    std::vector<std::shared_ptr<const record::TableShape>> shapes, const record::Cursor& from) {
  QueriedPosition position;
  position.source = identity;
  if (!from.text.empty()) {
    FRESHET_TRY(position, QueriedFromCursor(from));
    if (position.source != identity) {
      return Error(ErrorClass::SOURCE_CHANGED, "the server is {}, not {}", identity,
                   position.source);
    }
  }
  auto stream = std::make_unique<QueriedStream>(config, std::move(position));
  FRESHET_CHECK_OK(stream->Begin(std::move(shapes), from.text.empty()));
  return std::unique_ptr<ChangeStream>(std::move(stream));
}

}  // namespace freshet::sources::postgres
