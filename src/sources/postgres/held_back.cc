// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/held_back.h"

namespace freshet::sources::postgres {

Status HeldBack::Look(Lsn seen, MonotonicTime now) {
  if (seen != seen_) {
    seen_ = seen;
    since_ = now;
  }
  if (connection_->server_version() < 170000 || now - since_ < patience_) return Status::Ok();
  since_ = now;
  FRESHET_TRY(
      Rows rows,
      connection_->Query(
          "SELECT string_agg(n.name, ', ') FROM pg_replication_slots s "
          "JOIN pg_stat_activity a ON a.pid = s.active_pid, "
          "regexp_split_to_table(current_setting('synchronized_standby_slots'), ',') AS l(listed), "
          "btrim(l.listed, ' \"') AS n(name) "
          "WHERE s.slot_name = $1 AND lower(a.wait_event) = 'waitforstandbyconfirmation' AND "
          "NOT EXISTS (SELECT FROM pg_replication_slots p WHERE p.slot_name = n.name AND p.active)",
          {slot_}));
  if (rows.empty() || rows.null(0, 0)) return Status::Ok();
  return Error(ErrorClass::SOURCE_BLOCKED,
               "the server holds changes back until its standbys have them, and no standby reads "
               "from the slot of synchronized_standby_slots: {}",
               rows.text(0, 0))
      .WithRemedy(
          "Start the standby, or take its slot out: ALTER SYSTEM SET synchronized_standby_slots = "
          "…; SELECT pg_reload_conf();");
}

}  // namespace freshet::sources::postgres
