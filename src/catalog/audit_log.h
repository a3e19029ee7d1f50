// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/database.h"

namespace freshet::catalog {

/// One change that somebody asked for. A value without secrets: what is put in is the caller's to
/// choose.
struct AuditRecord {
  int64_t number = 0;  // grows over all
  int64_t at = 0;      // milliseconds since 1970, UTC
  /// Who, from which address, by which operation of the API; `parameters` is a JSON object.
  std::string principal{}, client{}, operation{}, method{}, path{}, parameters{"{}"};
  /// How it was answered; 0: never, the server ended meanwhile.
  int64_t status = 0;
  std::string error_code{}, result{"{}"};  // `result` is a JSON object
};

/// Which are told, the newest first. Empty and 0: any.
struct AuditRequest {
  std::string principal{}, operation{};
  int64_t since = 0, until = 0;  // milliseconds since 1970, UTC
  int64_t before = 0;            // a former page's last number
  int64_t rows = 0;
};

/// Who changed what, when, from where, and how it ended: noted before the change, so that none is
/// missing whatever happens in between. Kept for as long as it is told. Thread-safe.
class AuditLog {
 public:
  AuditLog(store::Database* database, const Clock* clock, std::chrono::hours kept)
      : database_(database), clock_(clock), kept_(kept) {}

  /// Note what is going to be tried; returns its number. Errors: STORE_*: then nothing is tried.
  Result<int64_t> Begin(const AuditRecord& record);
  /// Note how it ended.
  Status End(int64_t number, int64_t status, const std::string& error_code,
             const std::string& result);
  Result<std::vector<AuditRecord>> List(const AuditRequest& request);

 private:
  store::Database* const database_;
  const Clock* const clock_;
  const std::chrono::hours kept_;
};

}  // namespace freshet::catalog
