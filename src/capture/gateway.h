// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/limits.h"
#include "capture/policies.h"
#include "capture/snapshot_holder.h"
#include "record/observer.h"
#include "sources/source.h"
#include "staging/writer.h"

namespace freshet::capture {

/// What a gateway is told; the rest it finds in staging.
struct GatewayOptions {
  /// Which tables to follow, by name.
  std::function<bool(const record::TableName&)> selects;
  TablePolicies policies = {};
  /// Which of them are asked for by their own names; null: every one.
  std::function<bool(const record::TableName&)> names;
  /// How long a table that the log does not tell of rests before it is read again.
  std::chrono::milliseconds reread_interval = limits::kRereadInterval;
  int snapshot_readers = 2;
  /// When staging lets segments go.
  staging::StagingWriter::ExpiryRules expiry;
  /// Who holds the snapshots that are read; nobody: the gateway itself, and they end with it.
  SnapshotHolder* holder = nullptr;
  /// Until `drain_requested` returns true: go on for ever. Then: finish the wished snapshots, take
  /// the source's position, capture through it, seal, return.
  std::function<bool()> drain_requested;
  /// Whose snapshots are read; null: everybody's. A pipeline that is gone leaves its flows behind.
  std::function<bool(const staging::FlowId&)> serves;
  /// Whether readers may ask how far everything is staged: those of a gateway that does not drain.
  bool answers = false;
};

/// How a gateway ended when it ended well.
struct Captured {
  // drained: everything committed at the source before the drain's fence is in segments up to here
  record::SegmentNumber through;
};

/// The ingestion gateway: continuous capture of one source into one staging. Run is called once, by
/// the capture thread; snapshot readers are its own threads. Under a fake clock and
/// `snapshot_readers = 0` chunks are read inline, so simulation is single-threaded. A crash
/// anywhere is repaired by running it again.
///
///   open staging, resume at its cursor; discover tables, watch them; read on in the snapshots that
///     are still held
///   loop: drain finished snapshot chunks → Append/Note; Next(deadline) → Append/Note
///         new wish or abandoned generation → BeginSnapshot beside the loop, then plan, hand chunks
///           to the readers
///         shape change, truncate or drop of a table in snapshot → abandon its generation, begin
///           the successor
///         at a Commit: if due, Seal, then Acknowledge (the only call site)
///         the log does not tell of a table → a generation each run, or at an interval
///         rows came or went without changes (a partition was truncated, attached, detached) →
///           abandon its generation even if complete, begin the successor
///         a reader asks how far everything is staged → discover, fence, Seal, answer
///         discover again every limits::kDiscoverInterval, and before a drain ends
class Gateway {
 public:
  Gateway(sources::Source* source, std::shared_ptr<store::FileStore> staging, Clock* clock,
          record::Observer* observer, GatewayOptions options);
  ~Gateway();
  /// Errors: the source's, the store's, STAGING_FENCED. CANCELLED after a stop, with everything
  /// captured sealed.
  Result<Captured> Run(const std::stop_token& stop);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace freshet::capture
