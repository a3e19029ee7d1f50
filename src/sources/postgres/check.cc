// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/check.h"

#include <algorithm>

#include "sources/postgres/slot.h"

namespace freshet::sources::postgres {
namespace {

using Findings = std::vector<Finding>;

/// What the checks below share, read once.
struct Server {
  std::string user;
  bool superuser = false;
  bool replication = false;
  bool may_create = false;
  std::string database;
  int version = 0;
};

void Add(Findings* findings, Status problem, bool fatal = true) {
  findings->push_back({.table = std::nullopt, .problem = std::move(problem), .fatal = fatal});
}

Result<Server> ReadServer(Connection& connection) {
  // Managed services grant replication by a role of their own instead of the attribute.
  FRESHET_TRY(auto rows,
              connection.Query(
                  "SELECT current_user, r.rolsuper, r.rolreplication OR EXISTS (SELECT FROM "
                  "pg_catalog.pg_roles g "
                  "WHERE g.rolname IN ('rds_replication', 'cloudsqlsuperuser', 'azure_pg_admin') "
                  "AND pg_catalog.pg_has_role(current_user, g.oid, 'MEMBER')), "
                  "pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'), "
                  "pg_catalog.current_database() FROM pg_catalog.pg_roles r WHERE r.rolname = "
                  "current_user"));
  if (rows.empty())
    return Error(ErrorClass::SOURCE_PROTOCOL, "the server does not know its own current_user");
  return Server{.user = std::string(rows.text(0, 0)),
                .superuser = rows.truth(0, 1),
                .replication = rows.truth(0, 2),
                .may_create = rows.truth(0, 3),
                .database = std::string(rows.text(0, 4)),
                .version = connection.server_version()};
}

Status CheckWalLevel(Connection& connection, Findings* findings) {
  FRESHET_TRY(auto rows, connection.Query("SELECT pg_catalog.current_setting('wal_level')"));
  if (rows.text(0, 0) != "logical") {
    Add(findings,
        Error(ErrorClass::SOURCE_NOT_LOGICAL, "wal_level is {}, not logical", rows.text(0, 0))
            .WithRemedy("ALTER SYSTEM SET wal_level = 'logical'; then restart the server."));
  }
  return Status::Ok();
}

void CheckRole(const Server& server, Findings* findings) {
  if (!server.superuser && !server.replication) {
    Add(findings,
        Error(ErrorClass::SOURCE_PRIVILEGE, "the role may not replicate: {}", server.user)
            .WithRemedy(fmt::format("ALTER ROLE {} REPLICATION;", QuoteIdentifier(server.user))));
  }
}

/// One slot stays with the destination; another lives for a moment at each snapshot. Each uses a
/// sender while it is read.
Status CheckRoom(Connection& connection, const Config& config, Findings* findings) {
  FRESHET_TRY(auto rows,
              connection.Query(
                  "SELECT pg_catalog.current_setting('max_replication_slots')::int, (SELECT "
                  "count(*) FROM pg_catalog.pg_replication_slots), "
                  "(SELECT count(*) FROM pg_catalog.pg_replication_slots WHERE slot_name = $1), "
                  "pg_catalog.current_setting('max_wal_senders')::int, (SELECT count(*) FROM "
                  "pg_catalog.pg_stat_replication)",
                  {config.slot}));
  int64_t slots_free = rows.number(0, 0) - rows.number(0, 1);
  int64_t slots_needed = rows.number(0, 2) > 0 ? 1 : 2;
  if (slots_free < slots_needed) {
    Add(findings,
        Error(ErrorClass::SOURCE_NO_FREE_SLOT, "replication slots: {} of {} in use, {} more needed",
              rows.number(0, 1), rows.number(0, 0), slots_needed)
            .WithRemedy(fmt::format("SELECT pg_drop_replication_slot('an unused one'); or ALTER "
                                    "SYSTEM SET max_replication_slots "
                                    "= {}; then restart the server.",
                                    rows.number(0, 0) + slots_needed)));
  }
  int64_t senders_free = rows.number(0, 3) - rows.number(0, 4);
  if (senders_free < 2) {
    Add(findings,
        Error(ErrorClass::SOURCE_NO_FREE_SLOT, "WAL senders: {} of {} in use, 2 more needed",
              rows.number(0, 4), rows.number(0, 3))
            .WithRemedy(
                fmt::format("ALTER SYSTEM SET max_wal_senders = {}; then restart the server.",
                            rows.number(0, 3) + 2)));
  }
  return Status::Ok();
}

Status CheckSlot(Connection& connection, const Config& config, Findings* findings) {
  if (config.slot.empty()) return Status::Ok();
  FRESHET_TRY(auto slot, ReadSlot(&connection, config.slot));
  if (!slot) {
    if (config.slot_given) {
      Add(findings,
          Error(ErrorClass::SLOT_LOST, "the replication slot does not exist: {}", config.slot)
              .WithRemedy(fmt::format("SELECT pg_create_logical_replication_slot({}, 'pgoutput');",
                                      QuoteLiteral(config.slot))),
          /*fatal=*/false);
    }
    return Status::Ok();
  }
  if (!slot->unfit.empty()) {
    Add(findings, Error(ErrorClass::SLOT_IN_USE, "the replication slot {} cannot be used: {}",
                        config.slot, slot->unfit)
                      .WithRemedy("Give another slot with --slot."));
  }
  if (!slot->lost.empty()) Add(findings, SlotLost(config.slot, slot->lost));
  if (slot->of_primary) Add(findings, SlotOfPrimary(config.slot));
  return Status::Ok();
}

Status CheckPublication(Connection& connection, const Config& config, const Server& server,
                        Findings* findings) {
  if (!config.publication_given) {
    if (!server.may_create) {
      Add(findings, Error(ErrorClass::SOURCE_PRIVILEGE,
                          "the role may not create a publication in database {}", server.database)
                        .WithRemedy(fmt::format("GRANT CREATE ON DATABASE {} TO {};",
                                                QuoteIdentifier(server.database),
                                                QuoteIdentifier(server.user))));
    }
    return Status::Ok();
  }
  FRESHET_TRY(
      auto rows,
      connection.Query("SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate, pubviaroot "
                       "AND EXISTS (SELECT FROM pg_catalog.pg_publication_tables t JOIN "
                       "pg_catalog.pg_class c ON c.relkind = 'p' AND c.relname = t.tablename JOIN "
                       "pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = "
                       "t.schemaname WHERE t.pubname = $1) "
                       "FROM pg_catalog.pg_publication WHERE pubname = $1",
                       {config.publication}));
  std::string name = QuoteIdentifier(config.publication);
  if (rows.empty()) {
    Add(findings, Error(ErrorClass::PUBLICATION_MISSING, "the publication does not exist: {}",
                        config.publication)
                      .WithRemedy(fmt::format("CREATE PUBLICATION {} FOR TABLE …;", name)));
    return Status::Ok();
  }
  if (!rows.truth(0, 0)) {
    Add(findings,
        Error(ErrorClass::PUBLICATION_MISSING, "the publication leaves out some operations: {}",
              config.publication)
            .WithRemedy(fmt::format(
                "ALTER PUBLICATION {} SET (publish = 'insert, update, delete, truncate');", name)));
  }
  if (rows.truth(0, 1)) {
    Add(findings,
        Error(ErrorClass::PUBLICATION_MISSING,
              "the publication hides that a partition was truncated or rewritten, so its whole "
              "table is read again when its files are found to be others: {}",
              config.publication)
            .WithRemedy(fmt::format(
                "ALTER PUBLICATION {} SET (publish_via_partition_root = false);", name)),
        /*fatal=*/false);
  }
  return Status::Ok();
}

/// Rights on each table: reading it, and adding it to a publication of ours, which takes owning it.
Status CheckTableRights(Connection& connection, const Config& config, const Server& server,
                        Findings* findings) {
  if (server.superuser) return Status::Ok();
  FRESHET_TRY(
      auto rows,
      connection.Query(
          "SELECT n.nspname, c.relname, pg_catalog.has_schema_privilege(n.oid, 'USAGE'), "
          "pg_catalog.has_table_privilege(c.oid, 'SELECT'), pg_catalog.pg_has_role(c.relowner, "
          "'USAGE') "
          "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
          "WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition "
          "AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1, 2"));
  std::string role = QuoteIdentifier(server.user);
  for (int row = 0; row < rows.size(); ++row) {
    record::TableName name{std::string(rows.text(row, 0)), std::string(rows.text(row, 1))};
    std::string quoted = QuoteIdentifier(name.schema) + "." + QuoteIdentifier(name.table);
    std::string sql;
    if (!rows.truth(row, 2))
      sql += fmt::format("GRANT USAGE ON SCHEMA {} TO {}; ", QuoteIdentifier(name.schema), role);
    if (!rows.truth(row, 3)) sql += fmt::format("GRANT SELECT ON {} TO {}; ", quoted, role);
    if (!sql.empty()) {
      sql.pop_back();
      findings->push_back({.table = name,
                           .problem = Error(ErrorClass::SOURCE_PRIVILEGE,
                                            "the role may not read the table: {}", name.ToString())
                                          .WithRemedy(sql)});
    }
    if (!config.publication_given && !rows.truth(row, 4)) {
      findings->push_back(
          {.table = name,
           .problem = Error(ErrorClass::SOURCE_PRIVILEGE,
                            "the role does not own the table, so it cannot publish it: {}",
                            name.ToString())
                          .WithRemedy(fmt::format(
                              "As its owner: CREATE PUBLICATION freshet FOR TABLE {}; then pass "
                              "--publication freshet. Or: ALTER TABLE {} OWNER TO {};",
                              quoted, quoted, role))});
    }
  }
  return Status::Ok();
}

}  // namespace

std::vector<Finding> CheckServer(Connection& connection, const Config& config) {
  Findings findings;
  auto note = [&](Status status) {
    if (!status.ok()) Add(&findings, std::move(status));
  };
  auto server = ReadServer(connection);
  if (!server.ok()) {
    Add(&findings, server.status());
    return findings;
  }
  note(CheckWalLevel(connection, &findings));
  CheckRole(*server, &findings);
  note(CheckRoom(connection, config, &findings));
  note(CheckSlot(connection, config, &findings));
  note(CheckPublication(connection, config, *server, &findings));
  note(CheckTableRights(connection, config, *server, &findings));
  return findings;
}

}  // namespace freshet::sources::postgres
