// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace freshet::store {

/// Bytes that are not text.
struct Blob {
  std::string bytes;
};

/// One row of an answer, by column from 0. NULL reads as zero or as the empty text. A value.
class Row {
 public:
  explicit Row(std::vector<std::optional<std::string>> values) : values_(std::move(values)) {}
  const std::string& text(size_t column) const;
  int64_t number(size_t column) const;
  bool is_null(size_t column) const { return !values_.at(column).has_value(); }

 private:
  std::vector<std::optional<std::string>> values_;
};

/// A value for a `?` of a statement. Implicit, so that a call reads like its statement.
class Parameter {
 public:
  Parameter(int64_t number) : number_(number), kind_(Kind::kNumber) {}  // NOLINT
  Parameter(std::string text) : text_(std::move(text)) {}               // NOLINT
  Parameter(std::string_view text) : text_(text) {}                     // NOLINT
  Parameter(const char* text) : text_(text) {}                          // NOLINT
  Parameter(Blob blob)                                                  // NOLINT
      : text_(std::move(blob.bytes)), kind_(Kind::kBlob) {}
  Parameter(std::nullptr_t) : kind_(Kind::kNull) {}  // NOLINT

 private:
  friend class Session;
  enum class Kind : uint8_t { kText, kNumber, kBlob, kNull };
  std::string text_;
  int64_t number_ = 0;
  Kind kind_ = Kind::kText;
};

/// The statements of one piece of work; only Database makes one, and it holds its lock meanwhile.
class Session {
 public:
  /// Run one statement; values only ever go in by `?`.
  /// Errors: ALREADY_EXISTS (a unique key), STORE_*, DATA_CORRUPT.
  Result<std::vector<Row>> Query(std::string_view sql, const std::vector<Parameter>& values = {});
  /// The same where no rows are expected; returns how many rows it changed.
  Result<int64_t> Execute(std::string_view sql, const std::vector<Parameter>& values = {});

 private:
  friend class Database;
  explicit Session(class Database* database) : database_(database) {}
  class Database* const database_;
};

/// The steps by which one module's tables came to be, oldest first; a step that was released is
/// never changed, only followed. Each is several statements.
struct Migrations {
  std::string_view module;
  std::span<const std::string_view> steps;
};

/// One SQLite file in WAL mode, durable at each commit. Thread-safe: one piece of work at a time.
/// The file and what lies beside it are readable by their owner only.
class Database {
 public:
  /// Open or make the file and bring its tables up to date, one step a transaction.
  /// Errors: STORE_*, DATA_CORRUPT, DESTINATION_FOREIGN (a later version made it).
  static Result<std::unique_ptr<Database>> Open(const std::string& path,
                                                std::span<const Migrations> migrations);
  /// Open a file that is there to be read, beside whoever writes it; it is not brought up to date.
  /// Errors: STORE_*, DATA_CORRUPT.
  static Result<std::unique_ptr<Database>> OpenToRead(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Result<std::vector<Row>> Query(std::string_view sql, const std::vector<Parameter>& values = {});
  Result<int64_t> Execute(std::string_view sql, const std::vector<Parameter>& values = {});
  /// Do the work in one transaction: all of it is durable when this returns OK, none of it is there
  /// after an error. `work` uses the session and nothing else of the database.
  Status Write(const std::function<Status(Session&)>& work);
  /// Look at several things of one state; `work` as for Write.
  Status Read(const std::function<Status(Session&)>& work);
  /// Write a consistent copy beside ongoing work; durable, its owner's only, and whole or not
  /// there. Errors: ALREADY_EXISTS, STORE_*.
  Status Backup(const std::string& path);

 private:
  friend class Session;
  explicit Database(sqlite3* handle) : handle_(handle) {}
  Status Migrate(const Migrations& migrations);
  Status Script(std::string_view sql);
  Result<sqlite3_stmt*> Prepare(std::string_view sql);
  Status Failed(std::string_view doing) const;

  std::mutex mutex_;
  sqlite3* const handle_;
  struct Prepared {
    std::string sql;
    sqlite3_stmt* statement;
  };
  std::vector<Prepared> statements_;  // newest last
};

}  // namespace freshet::store
