// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "sources/postgres/config.h"

namespace freshet::sources::postgres {

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

 private:
  struct Deleter {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Deleter> result_;
};

/// One session at the server, with the settings that make values read the same on every road. One
/// thread at a time.
class Connection {
 public:
  enum class Mode : uint8_t { kQuery, kReplication };
  /// Errors: SOURCE_UNREACHABLE, SOURCE_AUTH, SOURCE_TLS, SOURCE_DATABASE_MISSING,
  /// SOURCE_PRIVILEGE, SOURCE_NO_FREE_SLOT.
  static Result<std::unique_ptr<Connection>> Connect(const Config& config, Mode mode,
                                                     bool* needs_password = nullptr);
  ~Connection();

  /// Run one statement; the parameters stand for $1, $2 … (not in replication mode).
  /// Errors: SOURCE_UNREACHABLE, SOURCE_PRIVILEGE, SOURCE_QUERY …: `sql_state()` has the server's
  /// code.
  Result<Rows> Query(const std::string& sql, const std::vector<std::string>& parameters = {});
  Status Execute(const std::string& sql);
  /// As Query, but cancelled at the deadline: then SOURCE_BLOCKED, naming what `Blockers` finds
  /// through `observer`.
  Result<Rows> QueryUntil(const std::string& sql, Deadline deadline, Connection* observer);

  /// Give up a statement that waits for a lock for longer than a moment: what works for every table
  /// must not wait for the owner of one. Then SOURCE_BLOCKED.
  Status LimitLockWaits();

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
  explicit Connection(PGconn* connection) : connection_(connection) {}
  Result<Rows> Take(PGresult* result);
  std::unique_ptr<PGconn, Deleter> connection_;
  std::string sql_state_;
};

/// Quote a name or a text for SQL.
std::string QuoteIdentifier(std::string_view name);
std::string QuoteLiteral(std::string_view text);
/// Return `{"a","b"}`, a text[] parameter's form.
std::string ArrayParameter(const std::vector<std::string>& texts);

}  // namespace freshet::sources::postgres
