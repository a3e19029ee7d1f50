// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pipeline_book.h"

#include <algorithm>
#include <array>

#include "base/random.h"
#include "base/server_limits.h"
#include "pipeline/display.h"

namespace freshet::pipeline {
namespace {

constexpr std::array<std::string_view, 1> kSteps{R"(
CREATE TABLE pipelines (id TEXT PRIMARY KEY, name TEXT NOT NULL, spec TEXT NOT NULL, parameters TEXT NOT NULL,
  run_as TEXT NOT NULL, creator TEXT NOT NULL, continuous INTEGER NOT NULL, created_at INTEGER NOT NULL,
  modified_at INTEGER NOT NULL);
CREATE INDEX pipelines_by_name ON pipelines (name, id);
CREATE TABLE updates (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL,
  state TEXT NOT NULL, cause TEXT NOT NULL, request TEXT NOT NULL, created_at INTEGER NOT NULL,
  final INTEGER NOT NULL);
CREATE INDEX updates_by_pipeline ON updates (pipeline, number);
CREATE INDEX updates_under_way ON updates (final, pipeline) WHERE final = 0;
CREATE TABLE events (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, pipeline TEXT NOT NULL,
  update_id TEXT NOT NULL, at TEXT NOT NULL, level TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL,
  details TEXT NOT NULL, error TEXT NOT NULL, origin TEXT NOT NULL);
CREATE INDEX events_by_pipeline ON events (pipeline, number);
)"};

constexpr std::array<std::string_view, 11> kStates{
    "QUEUED",       "CREATED",   "WAITING_FOR_RESOURCES",
    "INITIALIZING", "RESETTING", "SETTING_UP_TABLES",
    "RUNNING",      "STOPPING",  "COMPLETED",
    "FAILED",       "CANCELED"};

constexpr char kPipelines[] =
    "SELECT id, name, spec, parameters, run_as, creator, continuous, created_at, modified_at FROM "
    "pipelines";
constexpr char kUpdates[] =
    "SELECT number, id, pipeline, state, cause, request, created_at FROM updates";

PipelineRecord PipelineFrom(const store::Row& row) {
  return {.id = row.text(0),
          .name = row.text(1),
          .spec = row.text(2),
          .parameters = row.text(3),
          .run_as = row.text(4),
          .creator = row.text(5),
          .continuous = row.number(6) != 0,
          .created_at = row.number(7),
          .modified_at = row.number(8)};
}

UpdateRecord UpdateFrom(const store::Row& row) {
  return {.id = row.text(1),
          .pipeline = row.text(2),
          .cause = row.text(4),
          .request = row.text(5),
          .state = UpdateStateOf(row.text(3)).value_or(UpdateState::kFailed),
          .number = row.number(0),
          .created_at = row.number(6)};
}

/// With milliseconds, as published: times of one form compare as texts.
std::string TimeText(UtcMicros at) {
  auto text = Timestamp(at);
  constexpr size_t kMicrosDigits = 3;
  return text.erase(text.size() - 1 - kMicrosDigits, kMicrosDigits);
}

Status NoPipeline(const std::string& id) {
  return Error(ErrorClass::NOT_FOUND, "The specified pipeline {} was not found.", id);
}

Status CheckName(store::Session& session, const PipelineRecord& record, bool duplicates) {
  if (duplicates) return Status::Ok();
  FRESHET_TRY(auto rows, session.Query("SELECT id FROM pipelines WHERE name = ? AND id <> ?",
                                       {record.name, record.id}));
  if (rows.empty()) return Status::Ok();
  return Error(ErrorClass::ALREADY_EXISTS, "a pipeline of this name exists already: '{}'",
               record.name)
      .WithRemedy("Choose another name, or say allow_duplicate_names.");
}

/// What the field of a condition is called in the table.
std::string_view ColumnOf(const std::string& field) {
  if (field == "level") return "level";
  if (field == "event_type") return "type";
  if (field == "update_id") return "update_id";
  if (field == "id") return "id";
  return "at";
}

void AddCondition(const EventCondition& condition, std::string* sql,
                  std::vector<store::Parameter>* values) {
  bool among = condition.operation == "in";
  *sql += fmt::format(" AND {} {} ", ColumnOf(condition.field), among ? "IN" : condition.operation);
  std::string marks;
  for (const auto& value : condition.values) {
    marks += marks.empty() ? "?" : ", ?";
    values->emplace_back(value);
  }
  *sql += among ? "(" + marks + ")" : marks;
}

}  // namespace

const store::Migrations kMigrations{.module = "pipeline", .steps = kSteps};

std::string_view NameOf(UpdateState state) { return kStates.at(static_cast<size_t>(state)); }

std::optional<UpdateState> UpdateStateOf(std::string_view name) {
  auto found = std::ranges::find(kStates, name);
  if (found == kStates.end()) return std::nullopt;
  return static_cast<UpdateState>(found - kStates.begin());
}

bool IsFinal(UpdateState state) { return state >= UpdateState::kCompleted; }

Status PipelineBook::Author(const std::function<Status()>& work) {
  std::lock_guard lock(authoring_);
  return work();
}

Result<PipelineRecord> PipelineBook::Add(PipelineRecord record, bool duplicates) {
  record.created_at = record.modified_at = NowMs();
  auto worked = database_->Write([&](store::Session& session) -> Status {
    FRESHET_CHECK_OK(CheckName(session, record, duplicates));
    FRESHET_CHECK_OK(session.Execute(
        "INSERT INTO pipelines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {record.id, record.name, record.spec, record.parameters, record.run_as, record.creator,
         int64_t{record.continuous}, record.created_at, record.modified_at}));
    return Status::Ok();
  });
  FRESHET_CHECK_OK(worked);
  ++revision_;
  return record;
}

Result<PipelineRecord> PipelineBook::Get(const std::string& id) {
  FRESHET_TRY(auto rows, database_->Query(std::string(kPipelines) + " WHERE id = ?", {id}));
  if (rows.empty()) return NoPipeline(id);
  return PipelineFrom(rows[0]);
}

Result<std::vector<PipelineRecord>> PipelineBook::Publishing() {
  FRESHET_TRY(auto rows,
              database_->Query(std::string(kPipelines) +
                               " WHERE json_extract(spec, '$.event_log') IS NOT NULL ORDER BY id"));
  std::vector<PipelineRecord> records;
  for (const auto& row : rows) records.push_back(PipelineFrom(row));
  return records;
}

Result<std::vector<PipelineRecord>> PipelineBook::WithRestartWindow() {
  FRESHET_TRY(auto rows,
              database_->Query(std::string(kPipelines) +
                               " WHERE json_extract(spec, '$.restart_window') IS NOT NULL ORDER BY "
                               "id"));
  std::vector<PipelineRecord> records;
  for (const auto& row : rows) records.push_back(PipelineFrom(row));
  return records;
}

Result<std::vector<PipelineRecord>> PipelineBook::Over(const std::string& gateway) {
  FRESHET_TRY(auto rows,
              database_->Query(std::string(kPipelines) +
                                   " WHERE json_extract(spec, "
                                   "'$.ingestion_definition.ingestion_gateway_id') = ? ORDER BY "
                                   "created_at, id",
                               {gateway}));
  std::vector<PipelineRecord> records;
  for (const auto& row : rows) records.push_back(PipelineFrom(row));
  return records;
}

Result<std::vector<PipelineRecord>> PipelineBook::List(const ListRequest& request) {
  // None of these words is a client's.
  auto key = request.by_name ? "name" : "id";
  auto sql = fmt::format(
      "{} WHERE (? = '' OR name LIKE ?) AND (? = '' OR ({}, id) {} (?, ?)) ORDER BY {} {} LIMIT ?",
      kPipelines, key, request.descending ? "<" : ">", key,
      request.descending ? "DESC, id DESC" : "ASC, id ASC");
  FRESHET_TRY(auto rows,
              database_->Query(sql, {request.like, request.like, request.after_id,
                                     request.by_name ? request.after_name : request.after_id,
                                     request.after_id, request.rows}));
  std::vector<PipelineRecord> records;
  for (const auto& row : rows) records.push_back(PipelineFrom(row));
  return records;
}

Status PipelineBook::Edit(const PipelineRecord& record, bool duplicates, int64_t expected) {
  auto edited = database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(auto rows,
                session.Query("SELECT modified_at FROM pipelines WHERE id = ?", {record.id}));
    if (rows.empty()) return NoPipeline(record.id);
    auto last = rows[0].number(0);
    if (expected != 0 && last > expected) {
      return Error(ErrorClass::DESTINATION_BUSY, "the pipeline was modified since: at {}, not {}",
                   last, expected)
          .WithRemedy("Get it again, and send the change of what it is now.");
    }
    FRESHET_CHECK_OK(CheckName(session, record, duplicates));
    FRESHET_CHECK_OK(session.Execute(
        "UPDATE pipelines SET name = ?, spec = ?, parameters = ?, run_as = ?, continuous = ?, "
        "modified_at = ? WHERE id = ?",
        {record.name, record.spec, record.parameters, record.run_as, int64_t{record.continuous},
         std::max(NowMs(), last + 1), record.id}));
    return Status::Ok();
  });
  ++revision_;
  return edited;
}

Status PipelineBook::Remove(const std::string& id) {
  auto removed = database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(auto rows, session.Execute("DELETE FROM pipelines WHERE id = ?", {id}));
    if (rows == 0) return NoPipeline(id);
    FRESHET_CHECK_OK(session.Execute("DELETE FROM updates WHERE pipeline = ?", {id}));
    FRESHET_CHECK_OK(session.Execute("DELETE FROM events WHERE pipeline = ?", {id}));
    return Status::Ok();
  });
  ++revision_;
  return removed;
}

bool PipelineBook::Close(const std::string& id) {
  std::lock_guard lock(mutex_);
  return closing_.insert(id).second;
}

void PipelineBook::Reopen(const std::string& id) {
  std::lock_guard lock(mutex_);
  closing_.erase(id);
}

bool PipelineBook::IsClosed(const std::string& id) const {
  std::lock_guard lock(mutex_);
  return closing_.contains(id);
}

UpdateRecord PipelineBook::NewUpdate(const std::string& pipeline, const std::string& cause,
                                     const std::string& request) const {
  return {.id = RandomUuid(),
          .pipeline = pipeline,
          .cause = cause,
          .request = request,
          .created_at = NowMs()};
}

Status PipelineBook::InsertUpdate(store::Session& session, const Tell& tell,
                                  UpdateRecord* update) const {
  FRESHET_CHECK_OK(session.Execute(
      "INSERT INTO updates (id, pipeline, state, cause, request, created_at, final) VALUES "
      "(?, ?, ?, ?, ?, ?, 0)",
      {update->id, update->pipeline, std::string(NameOf(update->state)), update->cause,
       update->request, update->created_at}));
  FRESHET_TRY(auto number, session.Query("SELECT last_insert_rowid()"));
  update->number = number[0].number(0);
  if (!tell) return Status::Ok();
  for (auto& event : tell(*update)) FRESHET_CHECK_OK(Insert(session, std::move(event)));
  return Status::Ok();
}

Result<UpdateRecord> PipelineBook::Begin(const std::string& pipeline, const std::string& cause,
                                         const std::string& request, const Tell& tell) {
  auto update = NewUpdate(pipeline, cause, request);
  auto worked = database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(auto there, session.Query("SELECT 1 FROM pipelines WHERE id = ?", {pipeline}));
    if (there.empty()) return NoPipeline(pipeline);
    std::lock_guard lock(mutex_);
    if (closing_.contains(pipeline))
      return Error(ErrorClass::DESTINATION_BUSY, "The pipeline {} is being deleted.", pipeline);
    FRESHET_TRY(
        auto active,
        session.Query("SELECT id FROM updates WHERE final = 0 AND pipeline = ?", {pipeline}));
    if (!active.empty()) {
      return Error(ErrorClass::DESTINATION_BUSY,
                   "An active update {} already exists for pipeline {}.", active[0].text(0),
                   pipeline)
          .WithRemedy("Wait until it has ended, or stop the pipeline.");
    }
    return InsertUpdate(session, tell, &update);
  });
  FRESHET_CHECK_OK(worked);
  return update;
}

Result<UpdateRecord> PipelineBook::GetUpdate(const std::string& pipeline, const std::string& id) {
  FRESHET_TRY(auto rows, database_->Query(std::string(kUpdates) + " WHERE pipeline = ? AND id = ?",
                                          {pipeline, id}));
  if (rows.empty())
    return Error(ErrorClass::NOT_FOUND, "The specified update {} was not found.", id);
  return UpdateFrom(rows[0]);
}

Result<std::vector<UpdateRecord>> PipelineBook::Updates(const std::string& pipeline,
                                                        int64_t rows_max, int64_t before) {
  FRESHET_TRY(auto rows, database_->Query(std::string(kUpdates) +
                                              " WHERE pipeline = ? AND (? = 0 OR number < ?) "
                                              "ORDER BY number DESC LIMIT ?",
                                          {pipeline, before, before, rows_max}));
  std::vector<UpdateRecord> updates;
  for (const auto& row : rows) updates.push_back(UpdateFrom(row));
  return updates;
}

Result<std::optional<UpdateRecord>> PipelineBook::Active(const std::string& pipeline) {
  FRESHET_TRY(
      auto rows,
      database_->Query(std::string(kUpdates) + " WHERE final = 0 AND pipeline = ?", {pipeline}));
  if (rows.empty()) return std::optional<UpdateRecord>();
  return std::optional(UpdateFrom(rows[0]));
}

Result<std::vector<UpdateRecord>> PipelineBook::Unfinished() {
  FRESHET_TRY(auto rows,
              database_->Query(std::string(kUpdates) + " WHERE final = 0 ORDER BY number"));
  std::vector<UpdateRecord> updates;
  for (const auto& row : rows) updates.push_back(UpdateFrom(row));
  return updates;
}

Result<bool> PipelineBook::Enter(const UpdateRecord& update, UpdateState state, EventRecord event) {
  bool entered = false;
  auto worked = database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(auto rows, session.Query(std::string(kUpdates) + " WHERE id = ?", {update.id}));
    if (rows.empty()) return Status::Ok();
    auto now = UpdateFrom(rows[0]).state;
    if (IsFinal(now) || (now == UpdateState::kStopping && !IsFinal(state))) return Status::Ok();
    entered = true;
    return SetState(session, update, state, std::move(event));
  });
  FRESHET_CHECK_OK(worked);
  return entered;
}

Status PipelineBook::SetState(store::Session& session, const UpdateRecord& update,
                              UpdateState state, EventRecord event) const {
  FRESHET_CHECK_OK(
      session.Execute("UPDATE updates SET state = ?, final = ? WHERE id = ?",
                      {std::string(NameOf(state)), int64_t{IsFinal(state)}, update.id}));
  return Insert(session, std::move(event));
}

Result<std::optional<UpdateRecord>> PipelineBook::Succeed(const UpdateRecord& update,
                                                          EventRecord event,
                                                          const std::string& cause,
                                                          const std::string& request,
                                                          const Tell& tell) {
  std::optional<UpdateRecord> next;
  auto worked = database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(auto rows, session.Query(std::string(kUpdates) + " WHERE id = ?", {update.id}));
    if (rows.empty() || IsFinal(UpdateFrom(rows[0]).state)) return Status::Ok();
    const bool stopping = UpdateFrom(rows[0]).state == UpdateState::kStopping;
    FRESHET_CHECK_OK(SetState(session, update, UpdateState::kCanceled, std::move(event)));
    std::lock_guard lock(mutex_);
    if (stopping || closing_.contains(update.pipeline)) return Status::Ok();
    next = NewUpdate(update.pipeline, cause, request);
    return InsertUpdate(session, tell, &*next);
  });
  FRESHET_CHECK_OK(worked);
  return next;
}

Status PipelineBook::Insert(store::Session& session, EventRecord event) const {
  if (event.at.empty()) event.at = TimeText(clock_->WallNow());
  FRESHET_CHECK_OK(session.Execute(
      "INSERT INTO events (id, pipeline, update_id, at, level, type, message, details, error, "
      "origin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {RandomUuid(), event.pipeline, event.update, event.at, event.level, event.type, event.message,
       event.details, event.error, event.origin}));
  FRESHET_TRY(auto number, session.Query("SELECT last_insert_rowid()"));
  if (number[0].number(0) % limits::kEventsPerLook != 0) return Status::Ok();
  // The oldest of this pipeline go, as many as there are too many.
  FRESHET_CHECK_OK(session.Execute(
      "DELETE FROM events WHERE pipeline = ? AND level = 'METRICS' AND number <= (SELECT number "
      "FROM events WHERE pipeline = ? AND level = 'METRICS' ORDER BY number DESC LIMIT 1 OFFSET ?)",
      {event.pipeline, event.pipeline, limits::kMetricsMax}));
  FRESHET_CHECK_OK(session.Execute(
      "DELETE FROM events WHERE pipeline = ? AND number <= (SELECT number FROM events WHERE "
      "pipeline = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
      {event.pipeline, event.pipeline, limits::kEventsMax}));
  return Status::Ok();
}

Status PipelineBook::AddEvent(EventRecord event) {
  return database_->Write(
      [&](store::Session& session) { return Insert(session, std::move(event)); });
}

Result<std::vector<EventRecord>> PipelineBook::Events(const std::string& pipeline,
                                                      const EventRequest& request) {
  std::string sql =
      "SELECT number, id, pipeline, update_id, at, level, type, message, details, error, origin "
      "FROM events WHERE pipeline = ?";
  std::vector<store::Parameter> values{pipeline};
  for (const auto& condition : request.conditions) AddCondition(condition, &sql, &values);
  if (request.after != 0) {
    sql += request.oldest_first ? " AND number > ?" : " AND number < ?";
    values.emplace_back(request.after);
  }
  sql += request.oldest_first ? " ORDER BY number LIMIT ?" : " ORDER BY number DESC LIMIT ?";
  values.emplace_back(request.rows);
  FRESHET_TRY(auto rows, database_->Query(sql, values));
  std::vector<EventRecord> events;
  for (const auto& row : rows) {
    events.push_back({.number = row.number(0),
                      .id = row.text(1),
                      .pipeline = row.text(2),
                      .update = row.text(3),
                      .level = row.text(5),
                      .type = row.text(6),
                      .message = row.text(7),
                      .details = row.text(8),
                      .error = row.text(9),
                      .origin = row.text(10),
                      .at = row.text(4)});
  }
  return events;
}

Result<int64_t> PipelineBook::NewestEvent() {
  FRESHET_TRY(auto rows, database_->Query("SELECT seq FROM sqlite_sequence WHERE name = 'events'"));
  return rows.empty() ? 0 : rows[0].number(0);
}

Result<std::set<std::string>> PipelineBook::PipelinesWithEvents(int64_t after) {
  // By the number alone: the other index would be read whole.
  FRESHET_TRY(auto rows,
              database_->Query("SELECT DISTINCT pipeline FROM events NOT INDEXED WHERE number > ?",
                               {after}));
  std::set<std::string> pipelines;
  for (const auto& row : rows) pipelines.insert(row.text(0));
  return pipelines;
}

Status PipelineBook::NumberEventsAbove(int64_t number) {
  return database_->Write([&](store::Session& session) -> Status {
    FRESHET_CHECK_OK(session.Execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'events', 0 WHERE NOT EXISTS "
        "(SELECT 1 FROM sqlite_sequence WHERE name = 'events')"));
    return session
        .Execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'events'", {number})
        .status();
  });
}

}  // namespace freshet::pipeline
