// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/discover.h"

#include <algorithm>
#include <charconv>

#include "sources/postgres/partitions.h"
#include "sources/postgres/text_encoding.h"
#include "sources/postgres/type_catalog.h"

namespace freshet::sources::postgres {
namespace {

/// Put a text where the template says {name}.
std::string With(std::string_view sql, std::string_view name, std::string_view text) {
  std::string filled(sql);
  for (size_t at = filled.find(name); at != std::string::npos; at = filled.find(name, at)) {
    filled.replace(at, name.size(), text);
    at += text.size();
  }
  return filled;
}

/// One row a table. The key is the replica identity's: the index's columns if it names one, else
/// the primary key's, if that is usable (valid, not deferrable). A transaction that began before a
/// table was dropped still sees it in the catalog, but nobody has a right to it, not even a lack of
/// one: NULL. Source: PostgreSQL, "Logical
/// Replication", "Publication"; RelationGetIndexList.
constexpr std::string_view kTables = R"sql(
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident,
       c.reltuples::int8, c.relpages::int8 * current_setting('block_size')::int8,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
       row_security_active(c.oid) OR coalesce(l.filtered, false) AS filtered,
       coalesce((SELECT string_agg(k.number::text, ' ' ORDER BY k.place)
                 FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place) WHERE k.place <=
                     i.indnkeyatts), '') AS key,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY
           (i.indkey::int2[]) AND NOT {carried})
         AS key_generated,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT
           a.attisdropped AND NOT {carried}) AS generated,
       (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT
           a.attisdropped AND {carried})
         AS columns,
       coalesce((SELECT min(a.attname::text) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND
                     starts_with(a.attname, '__freshet_')), '') AS reserved,
       coalesce((SELECT min(a.attname::text) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND
                     {carried}
                 GROUP BY lower(a.attname) HAVING count(*) > 1 LIMIT 1), '') AS clash,
       coalesce(l.unlogged, '') AS unlogged, coalesce(l.nameless, '') AS nameless,
           coalesce(l.unreadable, '') AS unreadable,
       pg_has_role(c.relowner, 'USAGE') AS owned, pg_get_userbyid(c.relowner) AS owner,
       concat((SELECT md5(string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod,
                                               a.xmin), ',' ORDER BY a.attnum))
               FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
              c.relreplident, i.indexrelid, c.relfilenode, l.files,
              CASE WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
                                AND a.atttypid >= 16384) THEN {types} END,
              (SELECT md5(string_agg(concat_ws(' ', d.objsubid, d.description), ',' ORDER BY
                  d.objsubid))
               FROM pg_description d WHERE d.classoid = 'pg_class'::regclass AND d.objoid = c.oid))
         AS fingerprint,
       CASE WHEN c.relispartition THEN (
         WITH RECURSIVE up(oid) AS (
           SELECT h.inhparent FROM pg_inherits h WHERE h.inhrelid = c.oid
           UNION ALL
           SELECT h.inhparent FROM up JOIN pg_inherits h ON h.inhrelid = up.oid)
         SELECT min(up.oid::int8) FROM up JOIN pg_class r ON r.oid = up.oid
         WHERE NOT r.relispartition) END AS part_of
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
     AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END
LEFT JOIN LATERAL (
  WITH RECURSIVE tree(oid) AS (
    SELECT h.inhrelid FROM pg_inherits h
    WHERE c.relkind = 'p' AND h.inhparent = c.oid AND {attached}
    UNION ALL
    SELECT h.inhrelid FROM tree JOIN pg_inherits h ON h.inhparent = tree.oid AND {attached})
  SELECT string_agg(q.name, ', ') FILTER (WHERE p.relkind = 'f' OR p.relpersistence <> 'p') AS
      unlogged,
         string_agg(q.name, ', ') FILTER (WHERE p.relkind = 'r' AND p.relpersistence = 'p' AND
             p.relreplident <> 'f' AND NOT
           (i.indexrelid IS NOT NULL AND p.relreplident = 'd' AND
            EXISTS (SELECT FROM pg_index x WHERE x.indrelid = p.oid AND
               x.indisvalid AND x.indimmediate AND x.indisprimary)))
           AS nameless,
         string_agg(q.name, ', ') FILTER (WHERE NOT has_table_privilege(p.oid, 'SELECT')) AS
             unreadable,
         bool_or(row_security_active(p.oid)) AS filtered,
         md5(string_agg(concat_ws(' ', p.oid, p.relfilenode), ',' ORDER BY p.oid)) AS files
  FROM tree t JOIN pg_class p ON p.oid = t.oid AND p.relkind <> 'p'
  JOIN pg_namespace pn ON pn.oid = p.relnamespace, LATERAL (SELECT format('%I.%I', pn.nspname,
      p.relname) AS name) q) l ON c.relkind = 'p'
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (c.relkind = 'r' OR NOT c.relispartition)
  AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND NOT starts_with(n.nspname, 'pg_')
  AND NOT (c.relkind IN ('v', 'm', 'f') AND EXISTS
    (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND
        d.deptype = 'e'))
  AND has_table_privilege(c.oid, 'SELECT') IS NOT NULL
)sql";

enum Field : int {
  kOid,
  kSchema,
  kTable,
  kKind,
  kPersistence,
  kIdentity,
  kRows,
  kBytes,
  kReadable,
  kFiltered,
  kKey,
  kKeyGenerated,
  kGenerated,
  kColumns,
  kReserved,
  kClash,
  kUnlogged,
  kNameless,
  kUnreadable,
  kOwned,
  kOwner,
  kFingerprint,
  kPartOf
};

Status NotLogged(const Rows& rows, int row) {
  std::string_view kind = rows.text(row, kKind);
  bool view = kind == "v" || kind == "m";
  if (view || kind == "f") {
    return Error(ErrorClass::TABLE_NOT_LOGGED, "a {} has no change log",
                 kind == "f" ? "foreign table" : "view")
        .WithRemedy(
            fmt::format("It is read again each run if it is named in full: --tables '{}.{}'",
                        rows.text(row, kSchema), rows.text(row, kTable)));
  }
  if (rows.text(row, kPersistence) == "u") {
    return Error(ErrorClass::TABLE_NOT_LOGGED, "the table is unlogged: it has no change log")
        .WithRemedy(fmt::format(
            "ALTER TABLE {} SET LOGGED;",
            Quote({std::string(rows.text(row, kSchema)), std::string(rows.text(row, kTable))})));
  }
  if (!rows.text(row, kUnlogged).empty()) {
    return Error(ErrorClass::TABLE_NOT_LOGGED, "partitions of it are foreign or unlogged: {}",
                 rows.text(row, kUnlogged))
        .WithRemedy("ALTER TABLE … SET LOGGED on those partitions, or exclude the table.");
  }
  return Status::Ok();
}

/// A partitioned table that we publish needs a primary key, which partitions made later inherit.
/// They do not inherit REPLICA IDENTITY FULL: the user's own updates of them would fail from the
/// moment they are made, for as long as nobody looks. In a publication of the user's that is the
/// case with or without us.
Status PartitionedIdentity(const Rows& rows, int row, const std::string& name, bool to_publish) {
  char identity = rows.text(row, kIdentity)[0];
  bool keyless = rows.text(row, kKey).empty();
  if (identity == 'i' || identity == 'n') {
    return Error(ErrorClass::TABLE_NO_IDENTITY,
                 "a partitioned table is identified by its primary key only")
        .WithRemedy(fmt::format("ALTER TABLE {} REPLICA IDENTITY DEFAULT;", name));
  }
  if (keyless && (to_publish || identity != 'f')) {
    return Error(ErrorClass::TABLE_NO_IDENTITY,
                 "the partitioned table has no primary key: publishing it would break updates of "
                 "partitions made later")
        .WithRemedy(fmt::format("ALTER TABLE {} ADD PRIMARY KEY (…); or set REPLICA IDENTITY FULL "
                                "on it and on each partition, also on those made later, put it "
                                "into a publication of yours and pass --publication.",
                                name));
  }
  if (!rows.text(row, kNameless).empty()) {
    return Error(ErrorClass::TABLE_NO_IDENTITY, "partitions of it are not identified by {}: {}",
                 keyless ? "their whole rows" : "the primary key", rows.text(row, kNameless))
        .WithRemedy(fmt::format("ALTER TABLE … REPLICA IDENTITY {}; on each of those partitions.",
                                keyless ? "FULL" : "DEFAULT"));
  }
  return Status::Ok();
}

Status Identity(const Connection& connection, const Rows& rows, int row, const std::string& name,
                bool to_publish) {
  char identity = rows.text(row, kIdentity)[0];
  if (rows.truth(row, kKeyGenerated)) {
    return Error(ErrorClass::TABLE_NO_IDENTITY,
                 "a generated column is part of the key, and the log does not carry it")
        .WithRemedy(fmt::format(
            "ALTER TABLE {} REPLICA IDENTITY USING INDEX …; an index without generated columns.",
            name));
  }
  // From version 18 updates fail at the source when the identity is FULL and a generated column,
  // as every virtual one, is not published.
  if (identity == 'f' && rows.truth(row, kGenerated) && connection.server_version() >= 180000) {
    return Error(ErrorClass::TABLE_NO_IDENTITY,
                 "REPLICA IDENTITY FULL and a virtual generated column: publishing it would break "
                 "its updates")
        .WithRemedy(fmt::format("ALTER TABLE {} REPLICA IDENTITY DEFAULT;", name));
  }
  if (rows.text(row, kKind) == "p") return PartitionedIdentity(rows, row, name, to_publish);
  if (identity == 'f' || (identity != 'n' && !rows.text(row, kKey).empty())) return Status::Ok();
  if (identity == 'd') {
    return Error(ErrorClass::TABLE_NO_IDENTITY,
                 "the table has no primary key: publishing it would break its updates and deletes")
        .WithRemedy(fmt::format("ALTER TABLE {} REPLICA IDENTITY FULL;", name));
  }
  return Error(ErrorClass::TABLE_NO_IDENTITY,
               "the table's replica identity is {}: publishing it would break its updates and "
               "deletes",
               identity == 'n' ? "NOTHING" : "an index that is gone or deferrable")
      .WithRemedy(fmt::format("ALTER TABLE {} REPLICA IDENTITY DEFAULT; with a primary key, else "
                              "REPLICA IDENTITY FULL;",
                              name));
}

Status Readable(const Rows& rows, int row, const std::string& name) {
  if (!rows.truth(row, kReadable) || !rows.text(row, kUnreadable).empty()) {
    std::string partitions(rows.text(row, kUnreadable));
    return Error(ErrorClass::SOURCE_PRIVILEGE, "the user may not read {}",
                 partitions.empty() ? name : partitions)
        .WithRemedy(fmt::format("GRANT USAGE ON SCHEMA {} TO CURRENT_USER_NAME; GRANT SELECT ON {} "
                                "TO CURRENT_USER_NAME;",
                                QuoteIdentifier(rows.text(row, kSchema)),
                                partitions.empty() ? name : partitions));
  }
  if (rows.truth(row, kFiltered)) {
    return Error(ErrorClass::SOURCE_PRIVILEGE,
                 "row security would hide rows of the table from the user")
        .WithRemedy("ALTER ROLE CURRENT_USER_NAME BYPASSRLS;");
  }
  return Status::Ok();
}

Status Names(const Rows& rows, int row) {
  if (!rows.text(row, kReserved).empty()) {
    return Error(ErrorClass::COLUMN_RESERVED, "the column name is reserved: {}",
                 rows.text(row, kReserved));
  }
  if (!rows.text(row, kClash).empty()) {
    return Error(ErrorClass::COLUMN_NAME_CONFLICT,
                 "another column has this name in another case: {}", rows.text(row, kClash));
  }
  return Status::Ok();
}

Status Owned(const Rows& rows, int row, const std::string& name) {
  if (rows.truth(row, kOwned)) return Status::Ok();
  return Error(ErrorClass::SOURCE_PRIVILEGE,
               "the user does not own the table, which publishing it takes")
      .WithRemedy(fmt::format("GRANT {} TO CURRENT_USER_NAME; or, as its owner, put {} into a "
                              "publication of yours and pass --publication.",
                              QuoteIdentifier(rows.text(row, kOwner)), name));
}

/// The status with its table, and with the user's name in its remedy.
Status Addressed(Status problem, const Connection& connection, const record::TableName& table) {
  if (problem.ok()) return problem;
  std::string remedy(problem.remedy());
  static constexpr std::string_view kUser = "CURRENT_USER_NAME";
  const char* user = PQuser(connection.handle());
  for (size_t at = remedy.find(kUser); at != std::string::npos; at = remedy.find(kUser, at)) {
    remedy.replace(at, kUser.size(), QuoteIdentifier(user));
  }
  return std::move(problem).With("table", table.ToString()).WithRemedy(remedy);
}

/// Why the log does not tell of the table, or nobody can have it do so without harm.
Status UnloggedOf(const Connection& connection, const Rows& rows, int row, bool to_publish) {
  record::TableName table{std::string(rows.text(row, kSchema)),
                          std::string(rows.text(row, kTable))};
  Status why = NotLogged(rows, row);
  if (why.ok()) why = Identity(connection, rows, row, Quote(table), to_publish);
  return Addressed(std::move(why), connection, table);
}

/// What is remembered of a table is remembered by its names, as UTF-8.
Status NotUtf8(std::string_view what, std::string_view name) {
  return Error(ErrorClass::NAME_NOT_UTF8, "the name of the {} is not UTF-8: {}", what, name)
      .WithRemedy("Rename it, or exclude the table.");
}

Status CheckFieldNames(const arrow::FieldVector& fields) {
  for (const auto& field : fields) {
    if (!IsUtf8(field->name())) return NotUtf8("column", SpellOutInvalid(field->name()));
    FRESHET_CHECK_OK(CheckFieldNames(field->type()->fields()));
  }
  return Status::Ok();
}

/// Why the table cannot be ingested at all.
Status ProblemOf(const Connection& connection, const Rows& rows, int row, bool to_publish) {
  record::TableName table{std::string(rows.text(row, kSchema)),
                          std::string(rows.text(row, kTable))};
  std::string name = Quote(table);
  Status problem;
  if (rows.number(row, kColumns) == 0) {
    problem = Error(ErrorClass::TABLE_NO_IDENTITY, "the table has no columns")
                  .WithRemedy("Exclude the table.");
  }
  if (!IsUtf8(table.schema) || !IsUtf8(table.table)) {
    table = {SpellOutInvalid(table.schema), SpellOutInvalid(table.table)};
    problem = NotUtf8("table", table.ToString());
  }
  if (problem.ok()) problem = Readable(rows, row, name);
  if (problem.ok() && to_publish) problem = Owned(rows, row, name);
  if (problem.ok()) problem = Names(rows, row);
  return Addressed(std::move(problem), connection, table);
}

Result<Rows> QueryTables(Connection* connection, const std::optional<std::set<uint32_t>>& only) {
  std::string sql = With(With(kTables, "{carried}", kCarried), "{attached}", Attached("h"));
  sql = With(sql, "{types}", kTypesOfTheDatabase);
  if (!only) return connection->Query(sql + "ORDER BY 2, 3");
  std::vector<std::string> oids;
  for (uint32_t oid : *only) oids.push_back(std::to_string(oid));
  return connection->Query(sql + "AND c.oid = ANY ($1::oid[]) ORDER BY 2, 3",
                           {ArrayParameter(oids)});
}

std::vector<int32_t> Numbers(std::string_view text) {
  std::vector<int32_t> numbers;
  while (!text.empty()) {
    size_t space = std::min(text.find(' '), text.size());
    int32_t number = 0;
    std::from_chars(text.data(), text.data() + space, number);
    numbers.push_back(number);
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return numbers;
}

}  // namespace

Result<std::vector<TableListing>> ListTables(Connection* connection, bool to_publish,
                                             const std::optional<std::set<uint32_t>>& only) {
  FRESHET_TRY(Rows rows, QueryTables(connection, only));
  std::vector<TableListing> listings;
  for (int row = 0; row < rows.size(); ++row) {
    TableListing listing;
    listing.id = record::TableId(std::string(rows.text(row, kOid)));
    listing.name = {SpellOutInvalid(rows.text(row, kSchema)),
                    SpellOutInvalid(rows.text(row, kTable))};
    std::string_view kind = rows.text(row, kKind);
    listing.unlogged = UnloggedOf(*connection, rows, row, to_publish);
    listing.problem = ProblemOf(*connection, rows, row, to_publish && listing.unlogged.ok());
    if (!rows.null(row, kPartOf))
      listing.part_of = record::TableId(std::string(rows.text(row, kPartOf)));
    listing.derived = kind == "v" || kind == "m" || kind == "f" || listing.part_of;
    listing.rows_estimated = rows.number(row, kRows);
    listing.bytes_estimated = rows.number(row, kBytes);
    // One that is read again and again is so whatever it consists of.
    if (kind == "p" && listing.unlogged.ok()) listing.partitions.emplace();
    listing.fingerprint = rows.text(row, kFingerprint);
    listings.push_back(std::move(listing));
  }
  return listings;
}

Result<SourceTable> ReadTable(Connection* connection, uint32_t oid, TypeMapping mapping) {
  FRESHET_TRY(Rows rows, QueryTables(connection, std::set<uint32_t>{oid}));
  if (rows.empty()) return Error(ErrorClass::NOT_FOUND, "the source has no table with oid {}", oid);
  SourceTable table;
  table.oid = oid;
  table.name = {std::string(rows.text(0, kSchema)), std::string(rows.text(0, kTable))};
  table.partitioned = rows.text(0, kKind) == "p";
  table.key = Numbers(rows.text(0, kKey));
  table.unlogged = UnloggedOf(*connection, rows, 0, /*to_publish=*/false);
  table.problem = ProblemOf(*connection, rows, 0, /*to_publish=*/false);
  FRESHET_TRY(table.columns, ReadColumns(connection, oid, mapping, &table.files));
  std::set<uint32_t> types;
  for (const auto& column : table.columns) types.insert(column.use.oid);
  FRESHET_TRY(table.readings, ReadReadings(connection, types));
  FRESHET_TRY(Rows numbers,
              connection->Query("SELECT attnum::int, attisdropped FROM pg_attribute WHERE attrelid "
                                "= $1::oid AND attnum > 0 ORDER BY attnum",
                                {std::to_string(oid)}));
  for (int row = 0; row < numbers.size(); ++row) {
    table.last_column = static_cast<int32_t>(numbers.number(row, 0));
    if (numbers.truth(row, 1)) table.dropped.insert(table.last_column);
  }
  return table;
}

Result<record::TableShape> ToShape(const SourceTable& table) {
  FRESHET_CHECK_OK(table.problem);
  record::TableShape shape;
  shape.id = record::TableId(std::to_string(table.oid));
  shape.name = table.name;
  arrow::FieldVector fields;
  for (const auto& column : table.columns) {
    fields.push_back(arrow::field(column.name, ArrowTypeOf(column.type)));
    shape.ids.emplace_back(column.number);
    shape.source_types.push_back(column.type_name);
    shape.filled.push_back(column.has_default);
  }
  Status names = CheckFieldNames(fields);
  if (!names.ok()) return std::move(names).With("table", table.name.ToString());
  shape.schema = arrow::schema(std::move(fields));
  shape.last_column = table.last_column;
  shape.logged = table.unlogged.ok();
  shape.imprint = ImprintOf(table);
  for (int32_t number : table.key) {
    auto at = std::find(shape.ids.begin(), shape.ids.end(), record::ColumnId(number));
    if (at == shape.ids.end() && !shape.logged) {
      // The log would not carry this part of the key: rows are told apart by their whole content.
      shape.key.clear();
      break;
    }
    if (at == shape.ids.end()) {
      return Error(ErrorClass::KEY_NOT_SELECTED, "the key column {} is not selected",
                   table.key_names.contains(number) ? table.key_names.at(number) : "")
          .With("table", table.name.ToString());
    }
    shape.key.push_back(static_cast<int>(at - shape.ids.begin()));
  }
  FRESHET_CHECK_OK(record::CheckShape(shape));
  return shape;
}

Result<record::TableShape> ToCommentedShape(Connection* connection, const SourceTable& table) {
  FRESHET_TRY(auto shape, ToShape(table));
  FRESHET_TRY(Rows rows,
              connection->Query("SELECT objsubid, description FROM pg_description WHERE classoid = "
                                "'pg_class'::regclass AND objoid = $1::oid",
                                {std::to_string(table.oid)}));
  auto& comments = shape.comments.emplace();
  for (int row = 0; row < rows.size(); ++row) {
    const record::ColumnId column(static_cast<int32_t>(rows.number(row, 0)));
    std::string text = SpellOutInvalid(rows.text(row, 1));
    if (column.value() == 0) {
      comments.table = std::move(text);
    } else if (std::ranges::find(shape.ids, column) != shape.ids.end()) {
      comments.columns[column] = std::move(text);
    }
  }
  return shape;
}

void SelectColumns(const ColumnSelection& selection, SourceTable* table) {
  for (const auto& column : table->columns) {
    bool key = std::find(table->key.begin(), table->key.end(), column.number) != table->key.end();
    if (key) table->key_names[column.number] = column.name;
  }
  std::erase_if(table->columns, [&](const SourceColumn& column) {
    return !selection.Selects(table->name, column.name);
  });
}

std::string Quote(const record::TableName& name) {
  return QuoteIdentifier(name.schema) + "." + QuoteIdentifier(name.table);
}

Result<uint32_t> OidOf(const record::TableId& table) {
  uint32_t oid = 0;
  const std::string& text = table.value();
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), oid);
  if (error != std::errc() || stop != text.data() + text.size())
    return Error(ErrorClass::NOT_FOUND, "not a table of this source: {}", text);
  return oid;
}

}  // namespace freshet::sources::postgres
