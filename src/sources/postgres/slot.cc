// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/slot.h"

#include "base/clock.h"

namespace freshet::sources::postgres {
namespace {

/// A session that was ended is gone well within this, on a server that is busy too.
constexpr std::chrono::seconds kEndWaitMax{10};

}  // namespace

Status SlotError(Status status, const Connection& connection) {
  const std::string& state = connection.sql_state();
  if (status.ok() ||
      !(status.Is(ErrorClass::SOURCE_QUERY) || status.Is(ErrorClass::SOURCE_PRIVILEGE)))
    return status;
  if (state == "42501") {
    return std::move(status).WithRemedy(
        fmt::format("ALTER ROLE {} REPLICATION;", QuoteIdentifier(PQuser(connection.handle()))));
  }
  if (state == "55000" && status.message().find("wal_level") != std::string::npos) {
    return Error(ErrorClass::SOURCE_NOT_LOGICAL, "the source's wal_level is not logical");
  }
  return status;
}

Status StreamError(Status status, const Connection& connection) {
  const std::string& state = connection.sql_state();
  if (!status.Is(ErrorClass::SOURCE_QUERY)) return SlotError(std::move(status), connection);
  // The slot's log was removed (55000, 58P01), or there is no such slot or publication (42704).
  bool slot_lost =
      state == "58P01" ||
      (state == "55000" && status.message().find("replication slot") != std::string::npos);
  if (state == "42704" && status.message().find("publication") != std::string::npos) {
    return MakeError(ErrorClass::PUBLICATION_MISSING, status.message());
  }
  if (slot_lost || state == "42704") return MakeError(ErrorClass::SLOT_LOST, status.message());
  return SlotError(std::move(status), connection);
}

Status SlotLost(const std::string& name, std::string_view why) {
  std::string remedy = "Ingest into an empty directory";
  if (why == "wal_removed") remedy += ", and raise max_slot_wal_keep_size";
  if (why == "idle_timeout") remedy += ", and raise idle_replication_slot_timeout";
  if (why == "rows_removed") remedy += ", and set hot_standby_feedback = on at the standby";
  return Error(ErrorClass::SLOT_LOST, "the server has invalidated the replication slot {}: {}",
               name, why)
      .WithRemedy(remedy + ".");
}

Status SlotOfPrimary(const std::string& name) {
  return Error(ErrorClass::SOURCE_UNSUPPORTED,
               "the server is a standby and keeps the replication slot {} for its promotion", name)
      .WithRemedy("Point at the primary server, or promote the standby.");
}

Result<std::optional<SlotState>> ReadSlot(Connection* connection, const std::string& name) {
  // Source: PostgreSQL 16 and 17, pg_replication_slots.
  std::string_view of_primary = "false";
  std::string_view lost = "CASE WHEN s.wal_status = 'lost' THEN 'wal_removed' ELSE '' END";
  if (connection->server_version() >= 160000)
    lost =
        "CASE WHEN s.conflicting THEN 'rows_removed' WHEN s.wal_status = 'lost' THEN "
        "'wal_removed' ELSE '' END";
  if (connection->server_version() >= 170000) {
    lost = "coalesce(s.invalidation_reason, '')";
    of_primary = "s.synced AND pg_is_in_recovery()";
  }
  FRESHET_TRY(
      Rows rows,
      connection->Query(
          fmt::format(
              "SELECT coalesce(s.confirmed_flush_lsn::text, '0/0'), {}, "
              "coalesce(s.active_pid, 0), "
              // A process that is not listed is ending: up to 13 the slot is the last it gives up.
              "CASE WHEN a.pid IS NULL THEN s.active_pid IS NOT NULL ELSE "
              "coalesce(a.application_name = 'freshet', false) END, "
              "CASE WHEN s.slot_type <> 'logical' THEN 'it is a physical slot' "
              "WHEN s.plugin <> 'pgoutput' THEN 'its plugin is ' || s.plugin "
              "WHEN s.database <> current_database() THEN 'it belongs to database ' || s.database "
              "ELSE '' END, {} "
              "FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid "
              "WHERE s.slot_name = $1",
              lost, of_primary),
          {name}));
  if (rows.empty()) return std::optional<SlotState>();
  SlotState state;
  FRESHET_TRY(state.confirmed, ParseLsn(rows.text(0, 0)));
  state.lost = rows.text(0, 1);
  state.active_process = static_cast<int>(rows.number(0, 2));
  state.active_ours = rows.truth(0, 3);
  state.unfit = rows.text(0, 4);
  state.of_primary = rows.truth(0, 5);
  return std::optional(state);
}

Result<Lsn> MakeSlot(Connection* connection, Connection* observer, const Config& config) {
  FRESHET_TRY(Rows recovery, observer->Query("SELECT pg_is_in_recovery()"));
  bool failover = connection->server_version() >= 170000 && !recovery.truth(0, 0);
  std::string sql =
      fmt::format("SELECT lsn FROM pg_create_logical_replication_slot({}, 'pgoutput'{})",
                  QuoteLiteral(config.slot), failover ? ", failover => true" : "");
  auto rows = connection->QueryUntil(sql, std::chrono::steady_clock::now() + config.slot_wait_max,
                                     observer);
  if (!rows.ok()) return SlotError(rows.status(), *connection).With("slot", config.slot);
  return ParseLsn(rows->text(0, 0));
}

Status FreeSlot(Connection* connection, const std::string& name, bool ours) {
  SystemClock clock;
  auto patience = clock.Now() + limits::kSlotReleaseWaitMax;
  auto end = patience + kEndWaitMax;
  bool ended = false;
  while (true) {
    FRESHET_TRY(std::optional<SlotState> slot, ReadSlot(connection, name));
    if (!slot || slot->active_process == 0) return Status::Ok();
    std::string ending = fmt::format("SELECT pg_terminate_backend({});", slot->active_process);
    if (!slot->active_ours || clock.Now() >= (ours ? end : patience)) {
      return Error(ErrorClass::SLOT_IN_USE,
                   "the replication slot {} is read by another session, process {}", name,
                   slot->active_process)
          .WithRemedy(ending);
    }
    if (ours && !ended && clock.Now() >= patience) {
      FRESHET_CHECK_OK(connection->Execute(ending));
      ended = true;
    }
    clock.WaitUntil(clock.Now() + std::chrono::milliseconds(50), {});
  }
}

Status DropSlot(Connection* connection, const std::string& name) {
  FRESHET_CHECK_OK(FreeSlot(connection, name, /*ours=*/true));
  FRESHET_TRY(Rows rows, connection->Query("SELECT pg_drop_replication_slot(slot_name) FROM "
                                           "pg_replication_slots WHERE slot_name = $1",
                                           {name}));
  return Status::Ok();
}

}  // namespace freshet::sources::postgres
