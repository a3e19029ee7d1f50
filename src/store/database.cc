// SPDX-License-Identifier: Apache-2.0
#include "store/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "base/server_limits.h"
#include "store/local_file.h"

namespace freshet::store {
namespace {

const std::string kNoText;

/// SQLite gives -wal and -shm the rights of the file itself.
Status MakePrivate(const std::string& path) {
  OpenFile file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.ok()) return FromErrno(errno, "cannot open the database", path);
  if (fchmod(file.get(), 0600) != 0) return FromErrno(errno, "cannot protect the database", path);
  return SyncFolder(std::filesystem::path(path).parent_path().string());
}

ErrorClass ClassOf(int code) {
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
      return ErrorClass::ALREADY_EXISTS;
    case SQLITE_FULL:
      return ErrorClass::STORE_FULL;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorClass::STORE_READ_ONLY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorClass::DATA_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
      return ErrorClass::STORE_UNAVAILABLE;
    default:
      return ErrorClass::INTERNAL;
  }
}

}  // namespace

const std::string& Row::text(size_t column) const {
  const auto& value = values_.at(column);
  return value ? *value : kNoText;
}

int64_t Row::number(size_t column) const {
  const auto& value = text(column);
  int64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number;
}

Result<std::unique_ptr<Database>> Database::Open(const std::string& path,
                                                 std::span<const Migrations> migrations) {
  FRESHET_CHECK_OK(MakePrivate(path));
  sqlite3* handle = nullptr;
  int code =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(handle));
  if (code != SQLITE_OK) return database->Failed("cannot open the database").With("path", path);
  sqlite3_busy_timeout(handle,
                       static_cast<int>(limits::kDatabaseWaitMax / std::chrono::milliseconds(1)));
  auto ready = database->Script(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
      "CREATE TABLE IF NOT EXISTS migrations (module TEXT PRIMARY KEY, steps INTEGER NOT NULL)");
  if (!ready.ok()) return std::move(ready).With("path", path);
  for (const auto& each : migrations) {
    auto done = database->Migrate(each);
    if (!done.ok()) return std::move(done).With("path", path).With("module", each.module);
  }
  return database;
}

Result<std::unique_ptr<Database>> Database::OpenToRead(const std::string& path) {
  sqlite3* handle = nullptr;
  int code =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(handle));
  if (code != SQLITE_OK) return database->Failed("cannot open the database").With("path", path);
  sqlite3_busy_timeout(handle,
                       static_cast<int>(limits::kDatabaseWaitMax / std::chrono::milliseconds(1)));
  return database;
}

Database::~Database() {
  for (const auto& each : statements_) sqlite3_finalize(each.statement);
  sqlite3_close(handle_);
}

Status Database::Migrate(const Migrations& migrations) {
  FRESHET_TRY(auto found, Query("SELECT steps FROM migrations WHERE module = ?",
                                {std::string(migrations.module)}));
  auto done = found.empty() ? size_t{0} : static_cast<size_t>(found[0].number(0));
  if (done > migrations.steps.size()) {
    return Error(ErrorClass::DESTINATION_FOREIGN,
                 "the database was made by a later version of Freshet: it is at step {}, this "
                 "version knows {}",
                 done, migrations.steps.size())
        .WithRemedy("Run the version that made it, or a later one.");
  }
  for (; done < migrations.steps.size(); ++done) {
    auto worked = Write([&](Session& session) -> Status {
      FRESHET_CHECK_OK(Script(migrations.steps[done]));
      FRESHET_CHECK_OK(
          session.Execute("INSERT OR REPLACE INTO migrations VALUES (?, ?)",
                          {std::string(migrations.module), static_cast<int64_t>(done) + 1}));
      return Status::Ok();
    });
    FRESHET_CHECK_OK(worked);
  }
  return Status::Ok();
}

Status Database::Script(std::string_view sql) {
  if (sqlite3_exec(handle_, std::string(sql).c_str(), nullptr, nullptr, nullptr) == SQLITE_OK)
    return Status::Ok();
  return Failed("a statement failed");
}

Result<std::vector<Row>> Database::Query(std::string_view sql,
                                         const std::vector<Parameter>& values) {
  std::lock_guard lock(mutex_);
  return Session(this).Query(sql, values);
}

Result<int64_t> Database::Execute(std::string_view sql, const std::vector<Parameter>& values) {
  std::lock_guard lock(mutex_);
  return Session(this).Execute(sql, values);
}

Status Database::Write(const std::function<Status(Session&)>& work) {
  std::lock_guard lock(mutex_);
  Session session(this);
  FRESHET_CHECK_OK(Script("BEGIN IMMEDIATE"));
  auto status = work(session);
  if (status.ok()) status = Script("COMMIT");
  // A failed COMMIT may have left the transaction open, or SQLite may have rolled it back.
  if (!status.ok() && sqlite3_get_autocommit(handle_) == 0)
    sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  return status;
}

Status Database::Read(const std::function<Status(Session&)>& work) {
  // Only this process writes, and only under the lock: no transaction is needed.
  std::lock_guard lock(mutex_);
  Session session(this);
  return work(session);
}

Status Database::Backup(const std::string& path) {
  // Private before anything is in it; SQLite fills a file that is empty.
  OpenFile file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.ok()) return FromErrno(errno, "cannot make the copy", path);
  Status copied;
  {
    std::lock_guard lock(mutex_);
    copied = Session(this).Execute("VACUUM INTO ?", {path}).status();
  }
  if (copied.ok() && fsync(file.get()) != 0)
    copied = FromErrno(errno, "cannot sync the copy", path);
  if (copied.ok()) return SyncFolder(std::filesystem::absolute(path).parent_path().string());
  unlink(path.c_str());
  return copied;
}

Result<sqlite3_stmt*> Database::Prepare(std::string_view sql) {
  auto known = std::ranges::find(statements_, sql, &Prepared::sql);
  if (known != statements_.end()) {
    std::rotate(known, known + 1, statements_.end());
    return statements_.back().statement;
  }
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return Failed("a statement is not valid");
  }
  if (statements_.size() >= limits::kStatementsMax) {
    sqlite3_finalize(statements_.front().statement);
    statements_.erase(statements_.begin());
  }
  statements_.push_back({std::string(sql), statement});
  return statement;
}

Status Database::Failed(std::string_view doing) const {
  return Error(ClassOf(sqlite3_extended_errcode(handle_)), "{}: {}", doing,
               sqlite3_errmsg(handle_));
}

Result<std::vector<Row>> Session::Query(std::string_view sql,
                                        const std::vector<Parameter>& values) {
  FRESHET_TRY(auto* statement, database_->Prepare(sql));
  FRESHET_ASSERT(sqlite3_bind_parameter_count(statement) == static_cast<int>(values.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    int at = static_cast<int>(i) + 1;
    const auto& value = values[i];
    auto size = static_cast<sqlite3_uint64>(value.text_.size());
    switch (value.kind_) {
      case Parameter::Kind::kText:
        sqlite3_bind_text64(statement, at, value.text_.data(), size, SQLITE_STATIC, SQLITE_UTF8);
        break;
      case Parameter::Kind::kBlob:
        sqlite3_bind_blob64(statement, at, value.text_.data(), size, SQLITE_STATIC);
        break;
      case Parameter::Kind::kNumber:
        sqlite3_bind_int64(statement, at, value.number_);
        break;
      case Parameter::Kind::kNull:
        sqlite3_bind_null(statement, at);
        break;
    }
  }
  std::vector<Row> rows;
  int code = sqlite3_step(statement);
  for (; code == SQLITE_ROW; code = sqlite3_step(statement)) {
    std::vector<std::optional<std::string>> columns;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, i));
      auto size = static_cast<size_t>(sqlite3_column_bytes(statement, i));
      if (sqlite3_column_type(statement, i) == SQLITE_NULL) {
        columns.emplace_back();
      } else {
        columns.emplace_back(std::string(bytes == nullptr ? "" : bytes, size));
      }
    }
    rows.emplace_back(std::move(columns));
  }
  Status status;
  if (code != SQLITE_DONE) status = database_->Failed("a statement failed");
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (!status.ok()) return status;
  return rows;
}

Result<int64_t> Session::Execute(std::string_view sql, const std::vector<Parameter>& values) {
  FRESHET_CHECK_OK(Query(sql, values));
  return sqlite3_changes64(database_->handle_);
}

}  // namespace freshet::store
