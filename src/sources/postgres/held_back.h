// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/clock.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/lsn.h"

namespace freshet::sources::postgres {

/// Notices that the server holds changes back for a standby that does not come. The stream's
/// thread.
///
/// From version 17 on a slot that fails over is sent nothing that the standbys named by
/// `synchronized_standby_slots` do not have. The server goes on giving signs of life meanwhile.
/// Source: PostgreSQL 17, "Replication", synchronized_standby_slots.
class HeldBack {
 public:
  HeldBack(Connection* connection, const Config& config)
      : connection_(connection), slot_(config.slot), patience_(config.silence_max) {}

  /// The stream has been read up to `seen`, and there is more. Errors: SOURCE_BLOCKED.
  Status Look(Lsn seen, MonotonicTime now);
  /// There is no more.
  void Passed() { seen_ = 0; }

 private:
  Connection* const connection_;
  const std::string slot_;
  const std::chrono::milliseconds patience_;
  Lsn seen_ = 0;
  MonotonicTime since_{};
};

}  // namespace freshet::sources::postgres
