// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/type_catalog.h"

#include <fmt/format.h>

#include <vector>

namespace freshet::sources::postgres {
namespace {

/// The types of {}, a query of oids, and all they are made of: base types of domains, elements of
/// arrays, fields of composites.
constexpr std::string_view kReached = R"sql(
WITH RECURSIVE reached(oid) AS (
  {}
  UNION
  SELECT next.oid FROM reached r JOIN pg_type t ON t.oid = r.oid CROSS JOIN LATERAL (
    SELECT t.typbasetype AS oid WHERE t.typtype = 'd'
    UNION ALL
    SELECT e.oid FROM pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid
    UNION ALL
    SELECT a.atttypid FROM pg_attribute a
    WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
  ) next)
)sql";

/// One row a type, or one a field of a composite. An array is true when its element knows it:
/// int2vector has elements too, and a text form of its own.
constexpr std::string_view kTypes = R"sql(
SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typndims::int, t.typdefault IS NOT NULL,
       coalesce(e.oid, 0), coalesce(e.typdelim, ','),
       t.typname = 'hstore' AND EXISTS (
         SELECT FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
         WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e' AND
               d.refclassid = 'pg_extension'::regclass AND x.extname = 'hstore'),
       coalesce(a.attname, ''), coalesce(a.atttypid, 0), coalesce(a.atttypmod, -1),
       coalesce(a.attndims, 0)::int
FROM reached r
JOIN pg_type t ON t.oid = r.oid
LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
LEFT JOIN pg_attribute a ON t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT
    a.attisdropped
ORDER BY t.oid, a.attnum
)sql";

TypeCatalog ToCatalog(const Rows& rows) {
  TypeCatalog catalog;
  for (int row = 0; row < rows.size(); ++row) {
    auto [at, fresh] = catalog.try_emplace(rows.oid(row, 0));
    CatalogType& type = at->second;
    if (fresh) {
      type.kind = rows.text(row, 1)[0];
      type.base = {.oid = rows.oid(row, 2),
                   .modifier = static_cast<int32_t>(rows.number(row, 3)),
                   .dimensions = static_cast<int32_t>(rows.number(row, 4))};
      type.has_default = rows.truth(row, 5);
      type.element = rows.oid(row, 6);
      type.delimiter = rows.text(row, 7).empty() ? ',' : rows.text(row, 7)[0];
      type.hstore = rows.truth(row, 8);
    }
    if (rows.oid(row, 10) == 0) continue;
    type.fields.push_back({std::string(rows.text(row, 9)),
                           {.oid = rows.oid(row, 10),
                            .modifier = static_cast<int32_t>(rows.number(row, 11)),
                            .dimensions = static_cast<int32_t>(rows.number(row, 12))}});
  }
  return catalog;
}

/// A label keeps its oid when it is renamed; others come beside it.
constexpr std::string_view kReadings = R"sql(
SELECT 'fields of ' || r.oid, left(md5(string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid,
    a.atttypmod), ',' ORDER BY a.attnum)), 16)
FROM reached r JOIN pg_type t ON t.oid = r.oid AND t.typtype = 'c'
JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
GROUP BY r.oid
UNION ALL
SELECT 'label ' || e.oid, left(md5(e.enumlabel), 16)
FROM reached r JOIN pg_enum e ON e.enumtypid = r.oid
)sql";

}  // namespace

const std::string_view kTypesOfTheDatabase = R"sql(concat(
  (SELECT md5(string_agg(concat_ws(' ', e.oid, e.enumlabel), ',' ORDER BY e.oid)) FROM pg_enum e),
  (SELECT md5(string_agg(concat_ws(' ', f.attrelid, f.attnum, f.attname, f.atttypid, f.atttypmod),
                         ',' ORDER BY f.attrelid, f.attnum))
   FROM pg_class k JOIN pg_attribute f ON f.attrelid = k.oid AND f.attnum > 0 AND NOT f.attisdropped
   WHERE k.relkind = 'c')))sql";

Result<std::map<std::string, std::string>> ReadReadings(Connection* connection,
                                                        const std::set<uint32_t>& oids) {
  std::vector<std::string> unknown;
  for (uint32_t oid : oids) {
    if (!IsBuiltIn(oid)) unknown.push_back(std::to_string(oid));
  }
  std::map<std::string, std::string> readings;
  if (unknown.empty()) return readings;
  static const std::string sql =
      fmt::format(kReached, "SELECT unnest($1::oid[])").append(kReadings);
  FRESHET_TRY(Rows rows, connection->Query(sql, {ArrayParameter(unknown)}));
  for (int row = 0; row < rows.size(); ++row)
    readings[std::string(rows.text(row, 0))] = rows.text(row, 1);
  return readings;
}

Result<TypeCatalog> ReadTypes(Connection* connection, const std::set<uint32_t>& oids) {
  std::vector<std::string> unknown;
  for (uint32_t oid : oids) {
    if (!IsBuiltIn(oid)) unknown.push_back(std::to_string(oid));
  }
  if (unknown.empty()) return TypeCatalog();
  static const std::string sql = fmt::format(kReached, "SELECT unnest($1::oid[])").append(kTypes);
  FRESHET_TRY(Rows rows, connection->Query(sql, {ArrayParameter(unknown)}));
  return ToCatalog(rows);
}

Result<std::optional<ColumnType>> ReadType(Connection* connection, const TypeUse& use,
                                           TypeMapping mapping) {
  FRESHET_TRY(TypeCatalog catalog, ReadTypes(connection, {use.oid}));
  if (!IsBuiltIn(use.oid) && !catalog.contains(use.oid)) return std::optional<ColumnType>();
  return std::optional(Resolve(catalog, use, mapping));
}

std::string FieldsQuery(uint32_t table) {
  std::string of_table = fmt::format(
      "SELECT atttypid FROM pg_attribute WHERE attrelid = {} AND attnum > 0 AND NOT attisdropped",
      table);
  return fmt::format(kReached, of_table) +
         "SELECT coalesce(string_agg(format('%s %s %I %s %s', t.oid, a.attnum, a.attname, "
         "a.atttypid, a.atttypmod), ',' ORDER BY t.oid, a.attnum), '') "
         "FROM reached r JOIN pg_type t ON t.oid = r.oid JOIN pg_attribute a ON a.attrelid = "
         "t.typrelid AND a.attnum > 0 AND NOT a.attisdropped";
}

}  // namespace freshet::sources::postgres
