// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/extent.h"

#include <algorithm>

#include "sources/postgres/partitions.h"

namespace freshet::sources::postgres {
namespace {

/// Before version 14 a table that was never analysed says that it has no rows.
constexpr std::string_view kExtents =
    "SELECT c.oid, coalesce(pg_relation_size(c.oid), 0) / "
    "current_setting('block_size')::int8, current_setting('block_size')::int8, "
    "coalesce(pg_table_size(c.oid), 0), CASE WHEN c.reltuples = 0 AND "
    "current_setting('server_version_num')::int < 140000 THEN -1 ELSE c.reltuples::int8 END, "
    "greatest(c.relpages, 1), c.relfilenode "
    "FROM pg_class c WHERE c.oid = $1::oid AND c.relkind <> 'p' OR c.oid IN "
    "(WITH RECURSIVE tree(oid) AS (SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = "
    "$1::oid AND {0} "
    "UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid AND {0}) "
    "SELECT tree.oid FROM tree JOIN pg_class p ON p.oid = tree.oid WHERE p.relkind IN ('r', 'f') "
    "AND p.relispartition) ORDER BY 1";

Extent ExtentOf(const Rows& rows, int row) {
  Extent leaf{.oid = static_cast<uint32_t>(rows.number(row, 0)),
              .blocks = rows.number(row, 1),
              .block_bytes = rows.number(row, 2),
              .bytes = rows.number(row, 3),
              .file = static_cast<uint32_t>(rows.number(row, 6))};
  int64_t tuples = rows.number(row, 4), pages = rows.number(row, 5);
  if (tuples >= 0) leaf.rows_per_block = static_cast<double>(tuples) / static_cast<double>(pages);
  return leaf;
}

}  // namespace

int64_t Extent::bytes_per_block() const {
  return std::max(block_bytes, bytes / std::max<int64_t>(1, blocks));
}

Result<std::vector<Extent>> ReadExtents(Connection* session, const record::TableId& table) {
  FRESHET_TRY(Rows rows, session->Query(fmt::format(kExtents, Attached("i")), {table.value()}));
  std::vector<Extent> leaves;
  for (int row = 0; row < rows.size(); ++row) leaves.push_back(ExtentOf(rows, row));
  return leaves;
}

}  // namespace freshet::sources::postgres
