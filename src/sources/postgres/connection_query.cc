// SPDX-License-Identifier: Apache-2.0
// The part of a session that asks and waits for answers.
#include <poll.h>

#include <algorithm>
#include <chrono>

#include "sources/postgres/connection.h"

namespace freshet::sources::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// An answer that was on its way while another session was asked has come within that.
constexpr milliseconds kOnItsWay{5000};
/// How soon a statement is given up that is no longer wanted.
constexpr milliseconds kCancelInterval{200};

/// Sessions that hold back process `waiting`, in words and as the SQL that ends them.
struct Blockers {
  std::string words, sql;
};
Blockers FindBlockers(Connection* observer, int waiting) {
  Blockers blockers;
  auto recovery = observer->Query("SELECT pg_is_in_recovery()");
  if (recovery.ok() && recovery->truth(0, 0)) {
    // Source: PostgreSQL 16, "Logical Decoding Concepts", "Replication Slots".
    return {"a standby waits for the primary to log which run",
            "At the primary: SELECT pg_log_standby_snapshot();"};
  }
  auto rows = observer->Query(
      "SELECT DISTINCT b.pid, a.usename, coalesce(a.application_name, ''), "
      "coalesce(date_trunc('second', now() - a.xact_start)::text, '?') "
      "FROM unnest(pg_blocking_pids($1::int)) AS b(pid) LEFT JOIN pg_stat_activity a ON a.pid = "
      "b.pid ORDER BY 1",
      {std::to_string(waiting)});
  if (!rows.ok()) return blockers;
  for (int row = 0; row < rows->size(); ++row) {
    if (row > 0) blockers.words += ", ";
    if (rows->number(row, 0) == 0) {
      blockers.words += "a prepared transaction (see pg_prepared_xacts)";
      continue;
    }
    blockers.words += fmt::format("process {} (user {}, {}, open for {})", rows->text(row, 0),
                                  rows->text(row, 1), rows->text(row, 2), rows->text(row, 3));
    blockers.sql += fmt::format("SELECT pg_terminate_backend({}); ", rows->text(row, 0));
  }
  return blockers;
}

}  // namespace

Result<Rows> Connection::Take(PGresult* result) {
  Rows rows(result);
  ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return ErrorOf(result);
  return rows;
}

Status Connection::AwaitInput() {
  pollfd descriptor{PQsocket(handle()), POLLIN, 0};
  const milliseconds silence_max = config_.silence_max;
  milliseconds silent{0};
  while (true) {
    const auto wait = cancelled_ == nullptr ? silence_max : std::min(silence_max, kCancelInterval);
    if (poll(&descriptor, 1, static_cast<int>(wait.count())) != 0) break;
    if (cancelled_ != nullptr && *cancelled_) {
      CancelStatement();
      return Error(ErrorClass::CANCELLED, "the statement is no longer wanted");
    }
    silent += wait;
    if (silent < silence_max) continue;
    FRESHET_CHECK_OK(CheckAlive());
    silent = milliseconds(0);
  }
  return PQconsumeInput(handle()) == 0 ? ErrorOf(nullptr) : Status::Ok();
}

Status Connection::CheckAlive() {
  FRESHET_TRY(bool works, AskOthers());
  pollfd descriptor{PQsocket(handle()), POLLIN, 0};
  if (works || poll(&descriptor, 1, static_cast<int>(kOnItsWay.count())) != 0) return Status::Ok();
  return Error(ErrorClass::SOURCE_UNREACHABLE,
               "the source said nothing for {} ms and does not work for this session",
               config_.silence_max.count());
}

/// Whether the server works for this session, as far as another one can tell.
Result<bool> Connection::AskOthers() {
  if (observes_) return false;
  auto observer = Connect(config_, Mode::kObserve);
  // A server that has no room for one more answers all the same.
  if (!observer.ok()) {
    return !observer.status().Is(ErrorClass::SOURCE_UNREACHABLE) ||
           observer.status().message().find("53300: ") != std::string::npos;
  }
  // Each of these waits for the other end of the connection. Source: PostgreSQL, "The Cumulative
  // Statistics System", wait events of type Client and Activity.
  auto works = (*observer)->Query(
      "SELECT coalesce(lower(wait_event) NOT IN ('clientread', 'clientwrite', 'walsendermain', "
      "'walsenderwritedata', 'walsenderwaitwal', 'walsenderwaitforwal'), true) "
      "FROM pg_stat_activity WHERE pid = $1",
      {std::to_string(server_process_)});
  if (!works.ok()) return !works.status().Is(ErrorClass::SOURCE_UNREACHABLE);
  return !works->empty() && works->truth(0, 0);
}

Result<Rows> Connection::Finish() {
  Rows last(nullptr);
  while (true) {
    Status came = Until([&] { return PQisBusy(handle()) == 0; });
    // A server that ends the session says why first.
    if (!came.ok()) return last.handle() != nullptr && last.failed() ? Take(last.release()) : came;
    PGresult* next = PQgetResult(handle());
    if (next == nullptr) return Take(last.release());
    last = Rows(next);
    if (PQresultStatus(next) == PGRES_COPY_OUT || PQresultStatus(next) == PGRES_COPY_BOTH)
      return last;
  }
}

Result<Rows> Connection::Query(const std::string& sql, const std::vector<std::string>& parameters) {
  std::vector<const char*> values;
  for (const auto& parameter : parameters) values.push_back(parameter.c_str());
  int sent = parameters.empty()
                 ? PQsendQuery(handle(), sql.c_str())
                 : PQsendQueryParams(handle(), sql.c_str(), static_cast<int>(values.size()),
                                     nullptr, values.data(), nullptr, nullptr, 0);
  if (sent == 0) return ErrorOf(nullptr);
  return Finish();
}

Status Connection::Execute(const std::string& sql) { return Query(sql).status(); }

Status Connection::LimitLockWaits() { return Execute("SET lock_timeout = '1s'"); }

Status Connection::BeginCopy(const std::string& sql) {
  FRESHET_TRY(Rows begun, Query(sql));
  FRESHET_ASSERT(PQresultStatus(begun.handle()) == PGRES_COPY_OUT);
  return Status::Ok();
}

Result<int> Connection::CopyData(char** buffer) {
  int size = 0;
  FRESHET_CHECK_OK(Until([&] {
    size = PQgetCopyData(handle(), buffer, /*async=*/1);
    return size != 0;
  }));
  if (size == -2) return ErrorOf(nullptr);
  if (size == -1) FRESHET_CHECK_OK(Finish());
  return size;
}

void Connection::CancelStatement() {
  char ignored[256];
  std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> cancel(PQgetCancel(handle()), &PQfreeCancel);
  PQcancel(cancel.get(), ignored, sizeof ignored);
}

Result<Rows> Connection::QueryUntil(const std::string& sql, Deadline deadline,
                                    Connection* observer) {
  if (PQsendQuery(handle(), sql.c_str()) == 0) return ErrorOf(nullptr);
  while (PQisBusy(handle()) != 0 && steady_clock::now() < deadline) {
    pollfd descriptor{PQsocket(handle()), POLLIN, 0};
    auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
    poll(&descriptor, 1, static_cast<int>(std::clamp<int64_t>(left, 0, 60'000)));
    if (PQconsumeInput(handle()) == 0) return ErrorOf(nullptr);
  }
  if (PQisBusy(handle()) == 0) return Finish();
  Blockers blockers = FindBlockers(observer, process_id());
  CancelStatement();
  auto rows = Finish();
  if (rows.ok() || sql_state_ != "57014") return rows;
  Status blocked = Error(ErrorClass::SOURCE_BLOCKED,
                         "transactions at the source have been open for too long to begin: {}",
                         blockers.words.empty() ? "see pg_stat_activity" : blockers.words);
  return blockers.sql.empty() ? blocked : std::move(blocked).WithRemedy(blockers.sql);
}

/// An older server refuses a session that asks for a setting it does not know.
Status Connection::SetUp() {
  // Refused by its version, before anything is asked of it.
  if (server_version() < kServerVersionMin) return Status::Ok();
  std::string sql = "SELECT pg_backend_pid()";
  if (server_version() >= 140000) sql += ", set_config('idle_session_timeout', '0', false)";
  if (server_version() >= 170000) sql += ", set_config('transaction_timeout', '0', false)";
  FRESHET_TRY(Rows rows, Query(sql));
  server_process_ = rows.number(0, 0);
  return Status::Ok();
}

}  // namespace freshet::sources::postgres
