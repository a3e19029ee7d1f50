// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libpq-fe.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "sources/postgres/config.h"

namespace freshet::sources::postgres {

/// The oldest server that publishes partitioned tables and has pg_current_snapshot(). Source:
/// PostgreSQL 13, release notes.
inline constexpr int kServerVersionMin = 130000;

/// The rows of one answer, as text. Immutable; the views live as long as it does.
class Rows {
 public:
  explicit Rows(PGresult* result) : result_(result) {}
  PGresult* handle() const { return result_.get(); }
  bool failed() const {
    return result_ == nullptr || PQresultStatus(result_.get()) == PGRES_FATAL_ERROR;
  }
  int size() const { return PQntuples(result_.get()); }
  bool empty() const { return size() == 0; }
  bool null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::string_view text(int row, int column) const;
  int64_t number(int row, int column) const;
  uint32_t oid(int row, int column) const { return static_cast<uint32_t>(number(row, column)); }
  bool truth(int row, int column) const { return text(row, column) == "t"; }
  /// Give the answer away.
  PGresult* release() { return result_.release(); }

 private:
  struct Deleter {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Deleter> result_;
};

/// One session at the server, with the settings that make values read the same on every road. One
/// thread at a time.
///
/// No wait is for ever: when nothing came for Config::silence_max, another session is asked whether
/// the server still works for this one. A statement may take as long as it takes.
class Connection {
 public:
  /// kObserve: to ask about another session; when it falls silent too, that is the answer.
  enum class Mode : uint8_t { kQuery, kReplication, kObserve };
  /// Errors: SOURCE_UNREACHABLE, SOURCE_AUTH, SOURCE_TLS, SOURCE_DATABASE_MISSING,
  /// SOURCE_PRIVILEGE, SOURCE_NO_FREE_SLOT.
  static Result<std::unique_ptr<Connection>> Connect(const Config& config, Mode mode,
                                                     bool* needs_password = nullptr);
  ~Connection();

  /// Run one statement; the parameters stand for $1, $2 … (not in replication mode).
  /// Errors: SOURCE_UNREACHABLE, SOURCE_INTERRUPTED, SOURCE_PRIVILEGE, SOURCE_QUERY …:
  /// `sql_state()` has the server's code.
  Result<Rows> Query(const std::string& sql, const std::vector<std::string>& parameters = {});
  Status Execute(const std::string& sql);
  /// Run a COPY … TO STDOUT up to its first data, which CopyData returns. Errors: as Query.
  Status BeginCopy(const std::string& sql);
  /// Wait for the next data of a COPY: its size as PQgetCopyData's, -1 at the end; the caller frees
  /// `buffer`. At the end the COPY's own error is returned. Errors: as Query.
  Result<int> CopyData(char** buffer);
  /// As Query, but cancelled at the deadline: then SOURCE_BLOCKED, naming what `Blockers` finds
  /// through `observer`.
  Result<Rows> QueryUntil(const std::string& sql, Deadline deadline, Connection* observer);

  /// Give up what waits for the server once this is true: CANCELLED then. It outlives the session.
  void GiveUpWhen(const std::atomic<bool>* cancelled) { cancelled_ = cancelled; }
  /// Give up a statement that waits for a lock for longer than a moment: what works for every table
  /// must not wait for the owner of one. Then SOURCE_BLOCKED.
  Status LimitLockWaits();

  /// Ask another session whether the server works for this one: else what it sent or was sent is
  /// lost on the way. Errors: SOURCE_UNREACHABLE.
  Status CheckAlive();
  /// Read what TLS has decrypted and holds back, which no socket tells of. Errors:
  /// SOURCE_UNREACHABLE.
  template <typename Ready>
  Result<bool> ReadPending(Ready ready) {
    for (int i = 0; PQsslInUse(handle()) != 0 && i < kPendingReads; ++i) {
      if (PQconsumeInput(handle()) == 0) return ErrorOf(nullptr);
      if (ready()) return true;
    }
    return false;
  }

  /// The SQLSTATE of the last failed statement.
  const std::string& sql_state() const { return sql_state_; }
  bool usable() const {
    return PQstatus(connection_.get()) == CONNECTION_OK &&
           PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
  }
  int process_id() const { return PQbackendPID(connection_.get()); }
  int server_version() const { return PQserverVersion(connection_.get()); }
  PGconn* handle() const { return connection_.get(); }

  /// Return the error that a failed answer, or the connection if there is no answer, stands for.
  Status ErrorOf(const PGresult* result);

 private:
  struct Deleter {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  /// A record of TLS holds 16 KiB, and libpq reads at least 8 of them at once.
  static constexpr int kPendingReads = 2;

  Connection(PGconn* connection, Config config)
      : connection_(connection), config_(std::move(config)) {}
  Status SetUp();
  Result<Rows> Take(PGresult* result);
  /// Wait for the answer of what was sent: the last statement's, or the first that failed or
  /// copies.
  Result<Rows> Finish();
  Result<bool> AskOthers();
  void CancelStatement();
  /// Wait until something comes. Errors: SOURCE_UNREACHABLE.
  Status AwaitInput();
  template <typename Ready>
  Status Until(Ready ready) {
    while (!ready()) {
      FRESHET_TRY(bool pending, ReadPending(ready));
      if (pending) break;
      FRESHET_CHECK_OK(AwaitInput());
    }
    return Status::Ok();
  }

  std::unique_ptr<PGconn, Deleter> connection_;
  const Config config_;
  /// The server's process, whoever stands in between; 0: not known.
  int64_t server_process_ = 0;
  bool observes_ = false;
  const std::atomic<bool>* cancelled_ = nullptr;
  std::string sql_state_;
};

/// Quote a name or a text for SQL.
std::string QuoteIdentifier(std::string_view name);
std::string QuoteLiteral(std::string_view text);
/// Return `{"a","b"}`, a text[] parameter's form.
std::string ArrayParameter(const std::vector<std::string>& texts);

}  // namespace freshet::sources::postgres
