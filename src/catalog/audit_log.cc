// SPDX-License-Identifier: Apache-2.0
#include "catalog/audit_log.h"

#include "base/server_limits.h"
#include "catalog/names.h"

namespace freshet::catalog {

Result<int64_t> AuditLog::Begin(const AuditRecord& record) {
  int64_t number = 0;
  auto now = clock_->WallNow() / 1000;
  auto worked = database_->Write([&](store::Session& session) -> Status {
    FRESHET_CHECK_OK(session.Execute(
        "INSERT INTO audit (at, key, principal, client, operation, method, path, parameters, "
        "status, error_code, result) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '', '{}')",
        {now, Lower(record.principal), record.principal, record.client, record.operation,
         record.method, record.path, record.parameters}));
    FRESHET_TRY(auto rows, session.Query("SELECT last_insert_rowid()"));
    number = rows[0].number(0);
    if (number % limits::kAuditPerLook != 0) return Status::Ok();
    return session
        .Execute("DELETE FROM audit WHERE at < ?", {now - kept_ / std::chrono::milliseconds(1)})
        .status();
  });
  FRESHET_CHECK_OK(worked);
  return number;
}

Status AuditLog::End(int64_t number, int64_t status, const std::string& error_code,
                     const std::string& result) {
  return database_
      ->Execute("UPDATE audit SET status = ?, error_code = ?, result = ? WHERE number = ?",
                {status, error_code, result, number})
      .status();
}

Result<std::vector<AuditRecord>> AuditLog::List(const AuditRequest& request) {
  // What outlived its time is not told, whenever it is removed.
  auto oldest = clock_->WallNow() / 1000 - kept_ / std::chrono::milliseconds(1);
  FRESHET_TRY(
      auto rows,
      database_->Query("SELECT number, at, principal, client, operation, method, path, parameters, "
                       "status, error_code, result FROM audit WHERE (? = '' OR key = ?) AND (? = "
                       "'' OR operation = ?) AND at >= ? AND (? = 0 OR at <= ?) AND (? = 0 OR "
                       "number < ?) ORDER BY number DESC LIMIT ?",
                       {request.principal, Lower(request.principal), request.operation,
                        request.operation, std::max(request.since, oldest), request.until,
                        request.until, request.before, request.before, request.rows}));
  std::vector<AuditRecord> records;
  for (const auto& row : rows) {
    records.push_back({.number = row.number(0),
                       .at = row.number(1),
                       .principal = row.text(2),
                       .client = row.text(3),
                       .operation = row.text(4),
                       .method = row.text(5),
                       .path = row.text(6),
                       .parameters = row.text(7),
                       .status = row.number(8),
                       .error_code = row.text(9),
                       .result = row.text(10)});
  }
  return records;
}

}  // namespace freshet::catalog
