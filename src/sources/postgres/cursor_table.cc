// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/cursor_table.h"

#include <algorithm>

#include "sources/postgres/partitions.h"

namespace freshet::sources::postgres {
namespace {

/// One row a table that is there now, whatever the transaction's snapshot still sees. Source:
/// PostgreSQL, "System Catalogs", pg_class.
constexpr std::string_view kObjects = R"sql(
SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples::int8,
       c.relpages::int8 * current_setting('block_size')::int8,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
       row_security_active(c.oid),
       coalesce((SELECT string_agg(k.number::text, ' ' ORDER BY k.place) FROM pg_index i,
                 unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place)
                 WHERE i.indrelid = c.oid AND i.indisvalid AND i.indisprimary
                   AND k.place <= i.indnkeyatts), ''),
       c.relkind = 'p' AND EXISTS (
         WITH RECURSIVE tree(oid) AS (
           SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid
           UNION ALL
           SELECT h.inhrelid FROM tree JOIN pg_inherits h ON h.inhparent = tree.oid)
         SELECT FROM tree JOIN pg_class p ON p.oid = tree.oid AND p.relkind = 'f')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND NOT starts_with(n.nspname, 'pg_')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                  AND d.objid = c.oid AND d.deptype = 'e')
  AND has_table_privilege(c.oid, 'SELECT') IS NOT NULL
)sql";
enum Object {
  kOid,
  kSchema,
  kName,
  kKind,
  kRows,
  kBytes,
  kReadable,
  kFiltered,
  kPrimaryKey,
  kForeignPartitions
};

Status Missing(std::string_view field, const std::string& column) {
  return Error(ErrorClass::CURSOR_UNSUITABLE, "{} names a column that the table does not have: {}",
               field, column)
      .WithRemedy("Correct it, or exclude the table; 'freshet discover' lists the columns.");
}

const SourceColumn* Find(const SourceTable& table, const std::string& name) {
  auto found =
      std::ranges::find_if(table.columns, [&](const auto& column) { return column.name == name; });
  return found == table.columns.end() ? nullptr : &*found;
}

CursorColumn CursorOf(const SourceColumn& column) {
  CursorColumn cursor{.name = column.name, .type_name = column.type_name};
  switch (column.type.kind) {
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
      cursor.unit = CursorUnit::kNumber;
      break;
    case Kind::kDate:
      cursor.unit = CursorUnit::kDays;
      cursor.may_be_endless = true;
      break;
    case Kind::kTimestamp:
    case Kind::kTimestampTz:
      cursor.unit = CursorUnit::kSeconds;
      cursor.may_be_endless = true;
      cursor.is_clock = column.type.kind == Kind::kTimestampTz;
      break;
    case Kind::kFloat32:
    case Kind::kFloat64:
    case Kind::kNumeric:
      cursor.unit = CursorUnit::kNumber;
      cursor.may_be_endless = true;
      break;
    default:
      // An unbounded numeric, which Delta holds as text, is a number still.
      if (column.type_name.starts_with("numeric")) {
        cursor.unit = CursorUnit::kNumber;
        cursor.may_be_endless = true;
      }
      break;
  }
  return cursor;
}

Status TakeKey(const CursorRule& rule, SourceTable* table) {
  if (!rule.primary_keys.empty()) table->key.clear();
  for (const auto& name : rule.primary_keys) {
    const SourceColumn* column = Find(*table, name);
    if (column == nullptr) return Missing("primary_keys", name);
    table->key.push_back(column->number);
  }
  bool carried = std::ranges::all_of(table->key, [&](int32_t number) {
    return std::ranges::any_of(table->columns,
                               [&](const auto& column) { return column.number == number; });
  });
  if (!table->key.empty() && carried) return Status::Ok();
  return Error(ErrorClass::TABLE_NO_IDENTITY,
               "a later read of a row takes its place by a key, and there is none")
      .WithRemedy("Name the columns that tell its rows apart in primary_keys.");
}

Status TakeCursor(const CursorRule& rule, bool has_transactions, QueriedTable* table) {
  if (rule.cursor_columns.empty()) {
    return Error(ErrorClass::CURSOR_UNSUITABLE, "no cursor column is given for the table")
        .WithRemedy("Name it in cursor_columns, exclude the table, or capture the log.");
  }
  std::vector<CursorColumn> columns;
  for (const auto& name : rule.cursor_columns) {
    const SourceColumn* column = Find(table->table, name);
    if (column == nullptr) return Missing("cursor_columns", name);
    columns.push_back(CursorOf(*column));
  }
  if (rule.window >= 0 && columns[0].unit == CursorUnit::kNone) {
    return Error(ErrorClass::CURSOR_UNSUITABLE,
                 "late_commit_window measures times and numbers, and {} is {}", columns[0].name,
                 columns[0].type_name)
        .WithRemedy("Leave it out, or give a cursor column that is a time or a number.");
  }
  table->plan = PlanOf(rule, std::move(columns), has_transactions);
  return Status::Ok();
}

/// Let the server plan what will be asked: it says what is wrong with it.
Status TryQueries(Connection* connection, const QueriedTable& table) {
  Status ordered = connection->Execute("EXPLAIN " + MarkQuery(table.plan, table.from));
  if (ordered.Is(ErrorClass::SOURCE_QUERY)) {
    return Error(ErrorClass::CURSOR_UNSUITABLE, "the cursor columns cannot be ordered: {}",
                 ordered.message())
        .WithRemedy("Give columns of a type that has an order: a time, a number, a text.");
  }
  FRESHET_CHECK_OK(ordered);
  if (table.plan.deletion_condition.empty()) return Status::Ok();
  Status filtered = connection->Execute(fmt::format("EXPLAIN SELECT FROM {} WHERE {}", table.from,
                                                    AliveCondition(table.plan.deletion_condition)));
  if (filtered.Is(ErrorClass::SOURCE_QUERY)) {
    return Error(ErrorClass::CURSOR_UNSUITABLE,
                 "deletion_condition is no SQL condition on the table: {}", filtered.message())
        .WithRemedy("Give what could stand after WHERE, like: deleted_at IS NOT NULL");
  }
  return filtered;
}

Status Readable(const Rows& rows, int row, const std::string& quoted) {
  if (!rows.truth(row, kReadable)) {
    return Error(ErrorClass::SOURCE_PRIVILEGE, "the user may not read {}", quoted)
        .WithRemedy(fmt::format("GRANT USAGE ON SCHEMA {} TO CURRENT_USER; GRANT SELECT ON {} TO "
                                "CURRENT_USER; with the user's name",
                                QuoteIdentifier(rows.text(row, kSchema)), quoted));
  }
  if (rows.truth(row, kFiltered)) {
    return Error(ErrorClass::SOURCE_PRIVILEGE,
                 "row security would hide rows of the table from the user")
        .WithRemedy("ALTER ROLE … BYPASSRLS;");
  }
  if (rows.truth(row, kForeignPartitions)) {
    return Error(ErrorClass::TABLE_NOT_LOGGED, "partitions of it are foreign tables")
        .WithRemedy("Capture a view of the whole table, with primary_keys.");
  }
  return Status::Ok();
}

Status Fill(Connection* connection, const Rows& rows, int row, const Config& config,
            QueriedTable* queried) {
  SourceTable& table = queried->table;
  table.oid = rows.oid(row, kOid);
  table.name = {std::string(rows.text(row, kSchema)), std::string(rows.text(row, kName))};
  std::string_view kind = rows.text(row, kKind);
  table.partitioned = kind == "p";
  queried->rule = config.rules->Of(table.name);
  // Of a plain table its own rows, not those of tables that inherit from it.
  queried->from = (kind == "r" ? "ONLY " : "") + Quote(table.name);
  FRESHET_CHECK_OK(Readable(rows, row, Quote(table.name)));
  FRESHET_TRY(table.columns, ReadColumns(connection, table.oid, config.type_mapping));
  // Where columns changed every row is read, so that a default which filled them is told.
  for (auto& column : table.columns) column.has_default = false;
  for (std::string_view key = rows.text(row, kPrimaryKey); !key.empty();) {
    size_t space = std::min(key.find(' '), key.size());
    table.key.push_back(std::stoi(std::string(key.substr(0, space))));
    key.remove_prefix(std::min(space + 1, key.size()));
  }
  FRESHET_CHECK_OK(TakeCursor(queried->rule, kind == "r" || kind == "p", queried));
  FRESHET_CHECK_OK(TakeKey(queried->rule, &table));
  SelectColumns(config.columns, &table);
  return TryQueries(connection, *queried);
}

Result<QueriedTable> Read(Connection* connection, const Rows& rows, int row, const Config& config) {
  QueriedTable table;
  Status problem = Fill(connection, rows, row, config, &table);
  if (problem.Is(ErrorClass::SOURCE_UNREACHABLE)) return problem;
  if (!problem.ok())
    table.table.problem = std::move(problem).With("table", table.table.name.ToString());
  return table;
}

}  // namespace

Result<std::vector<TableListing>> ListQueriedTables(Connection* connection, const Config& config) {
  FRESHET_TRY(Rows rows, connection->Query(std::string(kObjects) + "ORDER BY 2, 3"));
  FRESHET_TRY(auto leaves, ReadLeaves(connection, "", {}));
  std::vector<TableListing> listings;
  for (int row = 0; row < rows.size(); ++row) {
    FRESHET_TRY(QueriedTable table, Read(connection, rows, row, config));
    TableListing listing;
    listing.id = record::TableId(std::string(rows.text(row, kOid)));
    listing.name = table.table.name;
    listing.problem = table.table.problem;
    if (listing.problem.ok()) listing.problem = ToShape(table.table).status();
    listing.rows_estimated = rows.number(row, kRows);
    listing.bytes_estimated = rows.number(row, kBytes);
    if (table.table.partitioned) listing.partitions.emplace();
    for (const auto& leaf : leaves) {
      if (leaf.root == table.table.oid) listing.partitions->push_back(leaf.partition);
    }
    listings.push_back(std::move(listing));
  }
  return listings;
}

Result<QueriedTable> ReadQueriedTable(Connection* connection, uint32_t oid, const Config& config) {
  FRESHET_TRY(Rows rows, connection->Query(std::string(kObjects) + "AND c.oid = $1::oid",
                                           {std::to_string(oid)}));
  if (rows.empty()) return Error(ErrorClass::NOT_FOUND, "the source has no table with oid {}", oid);
  return Read(connection, rows, 0, config);
}

}  // namespace freshet::sources::postgres
