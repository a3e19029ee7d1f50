// SPDX-License-Identifier: Apache-2.0
// Columns, and what the catalog tells of whether their values are what they were.
#include <algorithm>

#include "sources/postgres/discover.h"
#include "sources/postgres/type_catalog.h"

namespace freshet::sources::postgres {
namespace {

/// What types have the same text for the same value and are stored alike goes by one name; of all
/// others a value may read otherwise under another type, though Delta's is the same.
std::string ReadingOf(const TypeCatalog& catalog, uint32_t oid) {
  constexpr uint32_t kTextType = 25, kVarchar = 1043;
  uint32_t base = BaseOf(catalog, oid);
  return std::to_string(base == kVarchar ? kTextType : base);
}

std::map<std::string, std::string> FilesIn(std::string_view text) {
  std::map<std::string, std::string> files;
  while (!text.empty()) {
    std::string_view each = text.substr(0, text.find(','));
    text.remove_prefix(std::min(each.size() + 1, text.size()));
    size_t space = std::min(each.find(' '), each.size());
    files.emplace(each.substr(0, space), each.substr(std::min(space + 1, each.size())));
  }
  return files;
}

}  // namespace

Result<std::vector<SourceColumn>> ReadColumns(Connection* connection, uint32_t oid,
                                              TypeMapping mapping,
                                              std::map<std::string, std::string>* files) {
  static const std::string sql = fmt::format(R"sql(
    SELECT attnum::int, attname, atttypid, atttypmod, attndims::int,
           atthasmissing OR atthasdef OR attidentity <> '' OR EXISTS (
             WITH RECURSIVE tree(oid) AS (
               SELECT inhrelid FROM pg_inherits WHERE inhparent = $1::oid
               UNION ALL
               SELECT h.inhrelid FROM tree JOIN pg_inherits h ON h.inhparent = tree.oid)
             SELECT FROM tree JOIN pg_attribute l ON l.attrelid = tree.oid AND l.attname = a.attname
             WHERE l.atthasmissing),
           format_type(atttypid, atttypmod), a.xmin,
           CASE WHEN row_number() OVER (ORDER BY attnum) = 1 THEN (
             WITH RECURSIVE tree(oid) AS (
               SELECT $1::oid
               UNION ALL
               SELECT h.inhrelid FROM tree JOIN pg_class p ON p.oid = tree.oid AND p.relkind = 'p'
               JOIN pg_inherits h ON h.inhparent = tree.oid)
             SELECT string_agg(p.oid || ' ' || p.relfilenode, ',')
             FROM tree JOIN pg_class p ON p.oid = tree.oid WHERE p.relfilenode <> 0) END
    FROM pg_attribute a
    WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped AND {}
    ORDER BY attnum)sql",
                                             kCarried);
  FRESHET_TRY(Rows rows, connection->Query(sql, {std::to_string(oid)}));
  std::set<uint32_t> types;
  for (int row = 0; row < rows.size(); ++row) types.insert(rows.oid(row, 2));
  FRESHET_TRY(TypeCatalog catalog, ReadTypes(connection, types));
  std::vector<SourceColumn> columns;
  for (int row = 0; row < rows.size(); ++row) {
    SourceColumn column;
    column.number = static_cast<int32_t>(rows.number(row, 0));
    column.name = rows.text(row, 1);
    column.use = {.oid = rows.oid(row, 2),
                  .modifier = static_cast<int32_t>(rows.number(row, 3)),
                  .dimensions = static_cast<int32_t>(rows.number(row, 4))};
    column.type = Resolve(catalog, column.use, mapping);
    column.type_name = rows.text(row, 6);
    column.has_default = rows.truth(row, 5) || HasDefault(catalog, column.use.oid);
    column.reading = ReadingOf(catalog, column.use.oid);
    column.altered = rows.text(row, 7);
    if (files != nullptr && !rows.null(row, 8)) *files = FilesIn(rows.text(row, 8));
    columns.push_back(std::move(column));
  }
  return columns;
}

record::Imprint ImprintOf(const SourceTable& table) {
  record::Imprint imprint{.readings = table.readings, .columns = {}, .files = table.files};
  for (const auto& column : table.columns) {
    imprint.readings[std::to_string(column.number)] = column.reading;
    imprint.columns[std::to_string(column.number)] = column.altered;
  }
  return imprint;
}

}  // namespace freshet::sources::postgres
