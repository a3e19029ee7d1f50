// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sources/postgres/discover.h"
#include "sources/postgres/partitions.h"
#include "sources/postgres/slot.h"

namespace freshet::sources::postgres {
namespace {

using ShapePointers = std::vector<std::shared_ptr<const record::TableShape>>;

Status PublicationError(Status status, const Connection& connection, std::string sql) {
  if (!status.Is(ErrorClass::SOURCE_PRIVILEGE)) return status;
  std::string user = QuoteIdentifier(PQuser(connection.handle()));
  return std::move(status).WithRemedy(
      fmt::format("GRANT the owner's role TO {}; or, as the owner: {}", user, sql));
}

Status Alter(Connection* connection, const Config& config, std::string_view verb,
             const std::vector<record::TableName>& names) {
  if (names.empty()) return Status::Ok();
  std::string sql =
      fmt::format("ALTER PUBLICATION {} {} TABLE ", QuoteIdentifier(config.publication), verb);
  for (size_t i = 0; i < names.size(); ++i) sql += (i > 0 ? ", ONLY " : "ONLY ") + Quote(names[i]);
  return PublicationError(connection->Execute(sql), *connection, sql + ";");
}

Result<std::map<uint32_t, record::TableName>> NamesOf(Connection* connection,
                                                      const std::set<uint32_t>& oids) {
  std::vector<std::string> texts;
  for (uint32_t oid : oids) texts.push_back(std::to_string(oid));
  FRESHET_TRY(Rows rows, connection->Query("SELECT c.oid, n.nspname, c.relname FROM pg_class c "
                                           "JOIN pg_namespace n ON n.oid = c.relnamespace "
                                           "WHERE c.oid = ANY ($1::oid[])",
                                           {ArrayParameter(texts)}));
  std::map<uint32_t, record::TableName> names;
  for (int row = 0; row < rows.size(); ++row)
    names[rows.oid(row, 0)] = {std::string(rows.text(row, 1)), std::string(rows.text(row, 2))};
  return names;
}

/// Whether one of the tables has gone by now, or goes by another name. Source: PostgreSQL,
/// "PostgreSQL Error Codes": undefined_table, invalid_schema_name, duplicate_object.
bool NameIsStale(const Status& status, const Connection& connection) {
  const std::string& state = connection.sql_state();
  return status.Is(ErrorClass::SOURCE_QUERY) &&
         (state == "42P01" || state == "3F000" || state == "42710");
}

/// The same, and where somebody holds one of them locked, as VACUUM does, or renames one just now,
/// all others: it takes a lock on each. Those that have to wait are added to `locked`.
Status AlterUnlocked(Connection* connection, const Config& config, std::string_view verb,
                     const std::map<uint32_t, record::TableName>& tables,
                     std::set<record::TableId>* locked) {
  std::vector<record::TableName> names;
  for (const auto& [oid, name] : tables) names.push_back(name);
  Status all = Alter(connection, config, verb, names);
  if (!all.Is(ErrorClass::SOURCE_BLOCKED) && !NameIsStale(all, *connection)) return all;
  for (const auto& [oid, name] : tables) {
    Status one = Alter(connection, config, verb, {name});
    if (one.Is(ErrorClass::SOURCE_BLOCKED) || NameIsStale(one, *connection)) {
      locked->emplace(std::to_string(oid));
    } else {
      FRESHET_CHECK_OK(one);
    }
  }
  return Status::Ok();
}

/// Drop first what must not be published, then add what is missing.
Status SetTables(Connection* connection, const Config& config,
                 const std::map<uint32_t, record::TableName>& wanted,
                 std::set<record::TableId>* locked) {
  FRESHET_TRY(std::set<uint32_t> published, PublishedTables(connection, config.publication));
  std::set<uint32_t> surplus;
  for (uint32_t oid : published) {
    if (!wanted.contains(oid)) surplus.insert(oid);
  }
  std::map<uint32_t, record::TableName> added, dropped;
  if (!surplus.empty()) {
    FRESHET_TRY(dropped, NamesOf(connection, surplus));
  }
  for (const auto& [oid, name] : wanted) {
    if (!published.contains(oid)) added[oid] = name;
  }
  FRESHET_CHECK_OK(AlterUnlocked(connection, config, "DROP", dropped, locked));
  FRESHET_CHECK_OK(AlterUnlocked(connection, config, "ADD", added, locked));
  if (added.empty() && dropped.empty()) return Status::Ok();
  // A name may have become another table's meanwhile.
  FRESHET_TRY(published, PublishedTables(connection, config.publication));
  for (const auto& [oid, name] : wanted) {
    if (!published.contains(oid)) locked->emplace(std::to_string(oid));
  }
  return Status::Ok();
}

Status CheckKinds(const Rows& rows, const Config& config) {
  bool all_kinds = rows.truth(0, 0) && rows.truth(0, 1) && rows.truth(0, 2) && rows.truth(0, 3);
  if (all_kinds) return Status::Ok();
  return Error(ErrorClass::PUBLICATION_MISSING,
               "the publication does not carry every kind of change: {}", config.publication)
      .WithRemedy(
          fmt::format("ALTER PUBLICATION {} SET (publish = 'insert, update, delete, truncate');",
                      QuoteIdentifier(config.publication)));
}

/// What a publication holds of each table: true, and columns or rows are left out.
Result<std::map<uint32_t, bool>> HeldBy(Connection* connection, const Config& config) {
  // A column list shorter than the table, or a row filter, would lose data without a word. Older
  // servers have neither.
  std::string cuts =
      connection->server_version() < 150000
          ? "false"
          : fmt::format(
                "t.rowfilter IS NOT NULL OR cardinality(t.attnames) < (SELECT count(*) FROM "
                "pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT "
                "a.attisdropped AND {})",
                kCarried);
  FRESHET_TRY(
      Rows rows,
      connection->Query(
          fmt::format("SELECT c.oid, {} FROM pg_publication_tables t JOIN pg_namespace n ON "
                      "n.nspname = t.schemaname JOIN pg_class c ON c.relnamespace = n.oid AND "
                      "c.relname = t.tablename WHERE t.pubname = $1",
                      cuts),
          {config.publication}));
  std::map<uint32_t, bool> cut;
  for (int row = 0; row < rows.size(); ++row) cut[rows.oid(row, 0)] = rows.truth(row, 1);
  return cut;
}

/// A publication that sends changes under the partitions lists these, not their table. The table
/// must be in it nevertheless, so that partitions made later are.
Status AddPartitioned(Connection* connection, const Config& config,
                      std::map<uint32_t, bool>* held) {
  // Older servers publish no schemas.
  std::string_view by_schema =
      connection->server_version() < 150000
          ? "false"
          : "EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid "
            "= c.relnamespace)";
  FRESHET_TRY(
      Rows roots,
      connection->Query(
          fmt::format("SELECT c.oid FROM pg_class c, pg_publication p WHERE p.pubname = $1 AND "
                      "c.relkind = 'p' AND (p.puballtables OR EXISTS (SELECT FROM "
                      "pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid) OR {})",
                      by_schema),
          {config.publication}));
  std::set<uint32_t> oids;
  for (int row = 0; row < roots.size(); ++row) oids.insert(roots.oid(row, 0));
  FRESHET_TRY(auto leaves, ReadLeaves(connection, config.publication, oids));
  for (uint32_t oid : oids) held->emplace(oid, false);
  for (const auto& leaf : leaves) {
    auto found = held->find(leaf.oid);
    if (found != held->end() && found->second) (*held)[leaf.root] = true;
  }
  return Status::Ok();
}

/// The partitions of what a publication holds.
Result<std::set<uint32_t>> PartitionsOf(Connection* connection,
                                        const std::map<uint32_t, bool>& held) {
  std::vector<std::string> oids;
  for (const auto& [oid, cut] : held) oids.push_back(std::to_string(oid));
  FRESHET_TRY(Rows rows, connection->Query(
                             "WITH RECURSIVE tree(oid) AS (SELECT inhrelid FROM pg_inherits WHERE "
                             "inhparent = ANY ($1::oid[]) UNION SELECT i.inhrelid FROM tree JOIN "
                             "pg_inherits i ON i.inhparent = tree.oid) SELECT tree.oid FROM tree "
                             "JOIN pg_class c ON c.oid = tree.oid WHERE c.relispartition",
                             {ArrayParameter(oids)}));
  std::set<uint32_t> partitions;
  for (int row = 0; row < rows.size(); ++row) partitions.insert(rows.oid(row, 0));
  return partitions;
}

}  // namespace

Result<std::set<uint32_t>> PublishedTables(Connection* connection, const std::string& name) {
  FRESHET_TRY(Rows rows,
              connection->Query("SELECT r.prrelid FROM pg_publication_rel r JOIN pg_publication p "
                                "ON p.oid = r.prpubid WHERE p.pubname = $1",
                                {name}));
  std::set<uint32_t> oids;
  for (int row = 0; row < rows.size(); ++row) oids.insert(rows.oid(row, 0));
  return oids;
}

Result<bool> EnsurePublication(Connection* connection, const Config& config) {
  bool generates = connection->server_version() >= 180000;
  FRESHET_TRY(Rows rows, connection->Query(fmt::format("SELECT {} FROM pg_publication WHERE "
                                                       "pubname = $1",
                                                       generates ? "pubgencols = 's'" : "true"),
                                           {config.publication}));
  std::string name = QuoteIdentifier(config.publication);
  if (!rows.empty()) {
    // One of ours that is older than the server's version leaves them out.
    if (!config.publication_given && !rows.truth(0, 0)) {
      FRESHET_CHECK_OK(connection->Execute(
          fmt::format("ALTER PUBLICATION {} SET (publish_generated_columns = stored)", name)));
    }
    return false;
  }
  std::string_view generated = generates ? ", publish_generated_columns = stored" : "";
  if (config.publication_given) {
    return Error(ErrorClass::PUBLICATION_MISSING, "the publication does not exist: {}",
                 config.publication)
        .WithRemedy(fmt::format("CREATE PUBLICATION {} FOR TABLE …{};", name,
                                generates ? " WITH (publish_generated_columns = stored)" : ""));
  }
  // Changes come under the partitions, for under the root the truncate of one would not come.
  Status made = connection->Execute(fmt::format(
      "CREATE PUBLICATION {} WITH (publish_via_partition_root = false{})", name, generated));
  if (made.Is(ErrorClass::SOURCE_PRIVILEGE)) {
    return std::move(made).WithRemedy(fmt::format("GRANT CREATE ON DATABASE {} TO {};",
                                                  QuoteIdentifier(PQdb(connection->handle())),
                                                  QuoteIdentifier(PQuser(connection->handle()))));
  }
  FRESHET_CHECK_OK(made);
  return true;
}

Result<PublicationProblems> CheckGivenPublication(
    Connection* connection, const Config& config,
    const std::map<uint32_t, record::TableName>& tables) {
  PublicationProblems problems;
  FRESHET_TRY(Rows whole, connection->Query("SELECT pubinsert, pubupdate, pubdelete, pubtruncate, "
                                            "pubviaroot FROM pg_publication WHERE pubname = $1",
                                            {config.publication}));
  if (whole.empty()) {
    problems.whole.push_back(EnsurePublication(connection, config).status());
    return problems;
  }
  if (Status kinds = CheckKinds(whole, config); !kinds.ok()) problems.whole.push_back(kinds);
  FRESHET_TRY(auto cut, HeldBy(connection, config));
  if (!whole.truth(0, 4)) FRESHET_CHECK_OK(AddPartitioned(connection, config, &cut));
  std::set<uint32_t> under_roots;
  if (whole.truth(0, 4)) {
    FRESHET_TRY(under_roots, PartitionsOf(connection, cut));
  }
  std::string name = QuoteIdentifier(config.publication);
  for (const auto& [oid, table] : tables) {
    auto found = cut.find(oid);
    if (found == cut.end() && under_roots.contains(oid)) {
      problems.tables[oid] =
          Error(ErrorClass::PARTITION_OF_ANOTHER,
                "the publication {} sends the partition's changes as those of its table",
                config.publication)
              .With("table", table.ToString())
              .WithRemedy(fmt::format(
                  "ALTER PUBLICATION {} SET (publish_via_partition_root = false);", name));
    } else if (found == cut.end()) {
      problems.tables[oid] =
          Error(ErrorClass::PUBLICATION_MISSING, "the publication {} does not hold the table",
                config.publication)
              .With("table", table.ToString())
              .WithRemedy(fmt::format("ALTER PUBLICATION {} ADD TABLE {};", name, Quote(table)));
    } else if (found->second) {
      problems.tables[oid] =
          Error(ErrorClass::PUBLICATION_MISSING,
                "the publication {} leaves out columns or rows of the table", config.publication)
              .With("table", table.ToString())
              .WithRemedy(fmt::format(
                  "ALTER PUBLICATION {0} DROP TABLE {1}; ALTER PUBLICATION {0} ADD TABLE {1};{2}",
                  name, Quote(table),
                  connection->server_version() < 180000
                      ? ""
                      : fmt::format(
                            " ALTER PUBLICATION {} SET (publish_generated_columns = stored);",
                            name)));
    }
  }
  return problems;
}

Result<std::map<uint32_t, std::string>> ReadMemos(Connection* connection,
                                                  const std::string& publication) {
  // An entry that is made anew has another oid. Older servers publish no schemas.
  std::string_view schemas =
      connection->server_version() < 150000
          ? "(SELECT NULL::oid AS oid, NULL::oid AS pnpubid, NULL::oid AS pnnspid WHERE false)"
          : "pg_publication_namespace";
  FRESHET_TRY(
      Rows rows,
      connection->Query(
          fmt::format(
              "SELECT c.oid, concat('publication ', p.oid, CASE WHEN p.puballtables THEN '' WHEN "
              "s.oid IS NOT NULL THEN ', schema entry ' || s.oid ELSE ', entry ' || r.oid END) "
              "FROM pg_publication p JOIN pg_class c ON c.relkind IN ('r', 'p') "
              "LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid "
              "LEFT JOIN {} s ON s.pnpubid = p.oid AND s.pnnspid = c.relnamespace "
              "WHERE p.pubname = $1 AND (p.puballtables OR r.oid IS NOT NULL OR s.oid IS NOT NULL)",
              schemas),
          {publication}));
  std::map<uint32_t, std::string> memos;
  for (int row = 0; row < rows.size(); ++row) memos[rows.oid(row, 0)] = rows.text(row, 1);
  return memos;
}

Status LostChanges(const std::string& publication) {
  return Error(ErrorClass::PUBLICATION_MISSING,
               "the table was taken out of the publication {}, and what changed since is lost",
               publication)
      .WithRemedy("Run with --refresh to read the table again, or exclude it.");
}

Result<Published> PublishTables(Connection* connection, const Config& config,
                                const ShapePointers& shapes) {
  Published published;
  auto& left_out = published.left_out;
  std::set<uint32_t> oids;
  for (const auto& shape : shapes) {
    FRESHET_TRY(uint32_t oid, OidOf(shape->id));
    oids.insert(oid);
    left_out[shape->id] = Error(ErrorClass::NOT_FOUND, "the table is gone at the source")
                              .With("table", shape->name.ToString());
  }
  FRESHET_TRY(auto listings, ListTables(connection, !config.publication_given, oids));
  std::map<uint32_t, record::TableName> wanted;
  for (const auto& listing : listings) {
    FRESHET_TRY(uint32_t oid, OidOf(listing.id));
    if (listing.problem.ok() && listing.unlogged.ok()) {
      left_out.erase(listing.id);
      wanted[oid] = listing.name;
    } else {
      left_out[listing.id] = listing.problem.ok() ? listing.unlogged : listing.problem;
    }
  }
  if (!config.publication_given) {
    FRESHET_CHECK_OK(SetTables(connection, config, wanted, &published.locked));
    return published;
  }
  FRESHET_TRY(PublicationProblems problems, CheckGivenPublication(connection, config, wanted));
  if (!problems.whole.empty()) return problems.whole[0];
  for (const auto& [oid, problem] : problems.tables)
    left_out[record::TableId(std::to_string(oid))] = problem;
  return published;
}

Status DropPublication(Connection* connection, const std::string& name) {
  return connection->Execute("DROP PUBLICATION IF EXISTS " + QuoteIdentifier(name));
}

}  // namespace freshet::sources::postgres
