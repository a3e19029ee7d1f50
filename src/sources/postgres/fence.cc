// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/fence.h"

#include "base/log.h"

namespace freshet::sources::postgres {
namespace {

constexpr std::chrono::seconds kRestMax{1};

}  // namespace

Result<std::optional<Lsn>> FenceAsker::Ask(MonotonicTime now) {
  if (!flush_delay_) {
    FRESHET_TRY(Rows rows, connection_->Query(
                               "SELECT setting FROM pg_settings WHERE name = 'wal_writer_delay'"));
    flush_delay_ = std::chrono::milliseconds(3 * (rows.empty() ? 200 : rows.number(0, 0)) + 50);
  }
  // A standby sends what it has replayed, and what it has not is not committed there.
  FRESHET_TRY(
      Rows rows,
      connection_->Query("SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE "
                         "pg_current_wal_insert_lsn() END, CASE WHEN pg_is_in_recovery() THEN "
                         "pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END"));
  FRESHET_TRY(inserted_, ParseLsn(rows.text(0, 0)));
  FRESHET_TRY(flushed_, ParseLsn(rows.text(0, 1)));
  asked_at_ = now;
  if (!insert_first_) insert_first_ = inserted_;
  if (Passes(flushed_, *insert_first_)) return std::optional(flushed_);
  bool known = old_insert_ >= *insert_first_;
  if (known && now - old_insert_since_ >= *flush_delay_) return std::optional(flushed_);
  if (!known) {
    old_insert_ = inserted_;
    old_insert_since_ = now;
  }
  return std::optional<Lsn>();
}

Status FenceAsker::Urge(Lsn seen, MonotonicTime now) {
  if (seen != rests_at_) {
    rests_at_ = seen;
    rests_since_ = now;
    urged_ = false;
  }
  if (urged_ || now - rests_since_ < kRestMax) return Status::Ok();
  // A standby that is waited for in vain must not hold this up.
  auto urged = connection_->Query(
      "SELECT set_config('synchronous_commit', 'local', true), "
      "pg_logical_emit_message(true, 'freshet', '') WHERE NOT pg_is_in_recovery()");
  if (urged.status().Is(ErrorClass::SOURCE_UNREACHABLE)) return urged.status();
  rests_since_ = now;
  urged_ = !urged.status().Is(ErrorClass::SOURCE_INTERRUPTED);  // else after another second
  if (urged.ok()) return Status::Ok();
  spdlog::info("the server's log is flushed late, for nothing can be written to it: {}",
               urged.status().ToString());
  return Status::Ok();
}

bool Passes(Lsn seen, Lsn fence) {
  constexpr Lsn kPage = 8192, kShortHeader = 24, kLongHeader = 40;
  if (seen >= fence) return true;
  Lsn into_page = fence % kPage;
  return (into_page == kShortHeader || into_page == kLongHeader) && seen >= fence - into_page;
}

}  // namespace freshet::sources::postgres
