// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/cursor_stream.h"

#include <poll.h>

#include <algorithm>
#include <chrono>

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
  read_at_ = std::chrono::steady_clock::now() + kReadInterval;
  if (from_now) {
    FRESHET_CHECK_OK(TakeMoment());
    FRESHET_CHECK_OK(connection_->Execute("COMMIT"));
    position_.moment = moment_;
    position_.lsn = lsn_;
    return Watch(std::move(shapes));
  }
  for (auto& shape : shapes) {
    auto id = shape->id;
    shapes_[id] = std::move(shape);
  }
  return Status::Ok();
}

record::Cursor QueriedStream::Start() const {
  auto cursor = ToCursor(position_);
  return cursor.ok() ? *cursor : record::Cursor();
}

/// A table that comes new is read by its snapshot, later than this; its mark is taken now.
Status QueriedStream::Watch(std::vector<std::shared_ptr<const record::TableShape>> shapes) {
  std::map<record::TableId, std::shared_ptr<const record::TableShape>> watched;
  for (auto& shape : shapes) {
    auto id = shape->id;
    bool known = shapes_.contains(id);
    watched[id] = std::move(shape);
    if (known || reading_) continue;
    FRESHET_TRY(uint32_t oid, OidOf(id));
    auto table = ReadQueriedTable(connection_.get(), oid, config_);
    if (table.status().Is(ErrorClass::NOT_FOUND)) continue;
    FRESHET_CHECK_OK(table);
    if (!table->table.problem.ok() || table->plan.by_transaction) continue;
    FRESHET_TRY(auto mark, ReadMark(connection_.get(), *table));
    if (mark) position_.marks[id.value()] = *mark;
  }
  shapes_ = std::move(watched);
  return Status::Ok();
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
  marks_ = position_.marks;
  swept_ = position_.swept;
  for (const auto& [id, shape] : shapes_) left_.push_back(id);
  reading_ = true;
  return Status::Ok();
}

Status QueriedStream::OpenTable() {
  record::TableId id = left_.back();
  left_.pop_back();
  auto followed = shapes_.find(id);
  if (followed == shapes_.end()) return Status::Ok();
  FRESHET_TRY(uint32_t oid, OidOf(id));
  auto table = ReadQueriedTable(connection_.get(), oid, config_);
  if (table.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();  // discovery says so
  FRESHET_CHECK_OK(table);
  FRESHET_CHECK_OK(table->table.problem);
  bool shape_changed = false;
  FRESHET_CHECK_OK(FitShape(*table, &shape_changed));
  std::optional<CursorMark> mark;
  if (!table->plan.by_transaction) {
    auto known = position_.marks.find(id.value());
    if (known != position_.marks.end()) mark = known->second;
    FRESHET_TRY(auto highest, ReadMark(connection_.get(), *table));
    marks_.erase(id.value());
    if (highest) marks_[id.value()] = *highest;
  }
  FRESHET_CHECK_OK(Sweep(*table));
  // A column that was added has a value in rows that nobody wrote since.
  std::string condition =
      shape_changed ? "true" : ChangedCondition(table->plan, mark, position_.moment, moment_);
  FRESHET_TRY(reader_, QueriedReader::Open(connection_.get(), *table, followed->second, condition));
  return Status::Ok();
}

/// Whether the change can be followed is the gateway's to say.
Status QueriedStream::FitShape(const QueriedTable& table, bool* changed) {
  FRESHET_TRY(record::TableShape now, ToShape(table.table));
  auto& shape = shapes_.at(now.id);
  if (now.SameColumns(*shape)) return Status::Ok();
  *changed = true;
  now.version = shape->version + 1;
  auto after = std::make_shared<const record::TableShape>(std::move(now));
  ready_.emplace_back(record::TableEvent(record::ShapeChange{shape, after, At()}));
  shape = after;
  return Status::Ok();
}

/// Rows that are gone leave no trace to ask for: the table is read anew at intervals.
Status QueriedStream::Sweep(const QueriedTable& table) {
  if (table.rule.sweep_seconds < 0) return Status::Ok();
  std::string id = std::to_string(table.table.oid);
  constexpr int64_t kMicros = 1'000'000;
  int64_t now = taken_at_ / kMicros;
  auto last = swept_.find(id);
  bool due = last != swept_.end() && now >= last->second.at_seconds + table.rule.sweep_seconds;
  if (last != swept_.end() && !due) return Status::Ok();
  FRESHET_TRY(int64_t rows, CountRows(connection_.get(), table));
  if (due) {
    auto before = static_cast<double>(last->second.rows);
    if (static_cast<double>(rows) < before * (1 - table.rule.sweep_fraction_max)) {
      return Error(ErrorClass::INVALID_ARGUMENT,
                   "the table has {} rows and had {}: a sweep would delete more than "
                   "hard_deletion_max_fraction, {}, allows",
                   rows, last->second.rows, table.rule.sweep_fraction_max)
          .With("table", table.table.name.ToString())
          .WithRemedy("If that is right, raise it for a run; else mend the source first.");
    }
    auto at = record::Sequence::Of(moment_.timeline, lsn_, 0);
    ready_.emplace_back(record::TableEvent(
        record::RowsUntold{record::TableId(id), at, "rows may be gone: its sweep is due"}));
  }
  swept_[id] = {.at_seconds = now, .rows = rows};
  return Status::Ok();
}

Status QueriedStream::EndRead() {
  FRESHET_CHECK_OK(connection_->Execute("COMMIT"));
  reading_ = false;
  position_.read += 1;
  position_.moment = moment_;
  position_.lsn = lsn_;
  position_.marks = std::move(marks_);
  position_.swept = std::move(swept_);
  FRESHET_TRY(record::Cursor cursor, ToCursor(position_));
  ready_.emplace_back(record::Commit{std::move(cursor), taken_at_});
  if (answers_fence_) ready_.emplace_back(record::Idle{});
  read_at_ = std::chrono::steady_clock::now() + kReadInterval;
  return Status::Ok();
}

Result<record::StreamEvent> QueriedStream::FromRead() {
  while (ready_.empty()) {
    if (reader_ != nullptr) {
      FRESHET_TRY(auto rows, reader_->Next(moment_.timeline, lsn_, &ordinal_, taken_at_));
      if (rows != nullptr)
        return record::StreamEvent(
            record::TableEvent(record::ChangeBatch{reader_->shape(), std::move(rows)}));
      nulled_ += reader_->values_nulled();
      reader_.reset();
    } else if (!left_.empty()) {
      FRESHET_CHECK_OK(OpenTable());
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
