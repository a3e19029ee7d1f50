// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/partitions.h"

namespace freshet::sources::postgres {
namespace {

/// `born`: CREATE TABLE … PARTITION OF made it, so that no row was in it before it was one. Then
/// one command wrote the rows of its system columns, of its inherited columns and of its place
/// below the parent; ATTACH writes the inherited columns again. A column altered since proves
/// nothing, so one is enough.
/// Source: PostgreSQL 15, src/backend/catalog/heap.c, AddNewAttributeTuples;
/// src/backend/commands/tablecmds.c, MergeAttributesIntoExisting; partition.c,
/// get_partition_ancestors.
constexpr std::string_view kLeaves = R"sql(
WITH RECURSIVE link AS (
  SELECT i.inhparent, i.inhrelid, i.inhrelid || '@' || i.xmin AS id,
         EXISTS (SELECT FROM pg_attribute s JOIN pg_attribute u
                   ON u.attrelid = s.attrelid AND u.xmin = s.xmin AND u.cmin = s.cmin
                 WHERE s.attrelid = i.inhrelid AND s.attnum = -6 AND s.xmin = i.xmin AND
                   s.xmax = 0 AND u.xmax = 0 AND u.attnum > 0 AND u.attinhcount > 0) AS born
  FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'
  WHERE {attached}),
tree(root, oid, id, born) AS (
  SELECT l.inhparent, l.inhrelid, l.id, l.born
  FROM link l JOIN pg_class r ON r.oid = l.inhparent AND NOT r.relispartition
  WHERE l.inhparent = ANY (coalesce(nullif($2, '')::oid[], ARRAY[l.inhparent]))
  UNION ALL
  SELECT t.root, l.inhrelid, l.id || '/' || t.id, t.born AND l.born
  FROM tree t JOIN link l ON l.inhparent = t.oid)
SELECT t.root, t.oid,
       t.id || CASE WHEN (SELECT pubviaroot FROM pg_publication WHERE pubname = $1)
                 THEN '+' || c.relfilenode ELSE '' END,
       format('%I.%I', n.nspname, c.relname),
       CASE WHEN t.born THEN true ELSE {empty} END
FROM tree t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind <> 'p'
ORDER BY t.root, t.oid
)sql";

constexpr std::string_view kLineage = R"sql(
WITH RECURSIVE up(oid, height) AS (
  SELECT oid, 0 FROM pg_class WHERE oid = $1::oid
  UNION ALL
  SELECT i.inhparent, up.height + 1 FROM up JOIN pg_inherits i ON i.inhrelid = up.oid
  JOIN pg_class p ON p.oid = i.inhparent AND p.relkind = 'p' WHERE {attached})
SELECT oid FROM up ORDER BY height
)sql";

std::string With(std::string sql, std::string_view name, std::string_view text) {
  return sql.replace(sql.find(name), name.size(), text);
}

std::string WithAttached(std::string_view text) {
  return With(std::string(text), "{attached}", Attached("i"));
}

}  // namespace

std::string Attached(std::string_view link) {
  // Before version 14 there is no such column, and no DETACH … CONCURRENTLY either.
  return fmt::format("(to_jsonb({}) ->> 'inhdetachpending')::bool IS NOT TRUE", link);
}

Result<std::vector<Leaf>> ReadLeaves(Connection* connection, const std::string& publication,
                                     const std::optional<std::set<uint32_t>>& roots) {
  std::vector<std::string> oids;
  for (uint32_t oid : roots.value_or(std::set<uint32_t>())) oids.push_back(std::to_string(oid));
  const std::vector<std::string> parameters = {publication,
                                               roots ? ArrayParameter(oids) : std::string()};
  const std::string sql = WithAttached(kLeaves);
  auto read = connection->Query(
      With(sql, "{empty}", "coalesce(pg_relation_size(c.oid) = 0, false)"), parameters);
  // One that somebody holds locked may hold rows; that matters only if it is new.
  if (read.status().Is(ErrorClass::SOURCE_BLOCKED))
    read = connection->Query(With(sql, "{empty}", "false"), parameters);
  FRESHET_TRY(Rows rows, std::move(read));
  std::vector<Leaf> leaves;
  for (int row = 0; row < rows.size(); ++row) {
    leaves.push_back({.root = rows.oid(row, 0),
                      .oid = rows.oid(row, 1),
                      .partition = {.id = std::string(rows.text(row, 2)),
                                    .name = std::string(rows.text(row, 3)),
                                    .told = rows.truth(row, 4)}});
  }
  return leaves;
}

Result<std::vector<uint32_t>> ReadLineage(Connection* connection, uint32_t oid) {
  FRESHET_TRY(Rows rows, connection->Query(WithAttached(kLineage), {std::to_string(oid)}));
  std::vector<uint32_t> lineage;
  for (int row = 0; row < rows.size(); ++row) lineage.push_back(rows.oid(row, 0));
  return lineage;
}

}  // namespace freshet::sources::postgres
