// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/key_sample.h"

#include <algorithm>
#include <set>

#include "sources/postgres/discover.h"
#include "sources/postgres/key_range.h"

namespace freshet::sources::postgres {
namespace {

/// So many blocks of a chunk tell about where it begins (by an eighth of it) …
constexpr int64_t kBlocksPerChunk = 32;
/// … so few hardly do (by a third of it): of the largest tables chunks are larger instead.
constexpr int64_t kBlocksPerChunkMin = 8;
/// Fewer tell too little of how often a block would be read.
constexpr int64_t kBlocksMin = 512;
/// What one sample has in memory: about 100 bytes a row.
constexpr int64_t kRowsMax = 256 * 1024;
/// No more rows fit in a block, with one small column. Source: PostgreSQL, "Database Page Layout".
constexpr double kRowsPerBlockMax = 226;
/// Columns that are looked at.
constexpr int kColumnsMax = 4;

struct Column {
  int32_t number = 0;
  std::string name;
  KeyType type;
};

/// The best to divide by first: the columns that lead the primary key, the replica identity, other
/// unique indexes, others. A partial index has not all rows, one of an expression has no column,
/// and one by another order is of no use.
Result<std::vector<Column>> ReadColumnsInOrder(Connection* session, uint32_t oid,
                                               const std::vector<std::string>& among) {
  FRESHET_TRY(
      Rows rows,
      session->Query(
          "SELECT a.attnum::int, a.attname, a.atttypid FROM pg_index i "
          "JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam "
          "JOIN pg_opclass o ON o.oid = i.indclass[0] "
          "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
          "WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] > 0 "
          "AND m.amname = 'btree' AND o.opcdefault AND a.attname = ANY ($2::text[]) "
          "ORDER BY i.indisprimary DESC, i.indisreplident DESC, i.indisunique DESC, i.indexrelid",
          {std::to_string(oid), ArrayParameter(among)}));
  std::vector<Column> columns;
  std::set<int32_t> seen;
  for (int row = 0; row < rows.size(); ++row) {
    const auto number = static_cast<int32_t>(rows.number(row, 0));
    const auto type = KeyTypeOf(rows.oid(row, 2));
    if (!type || !seen.insert(number).second) continue;
    columns.push_back({.number = number, .name = std::string(rows.text(row, 1)), .type = *type});
    if (std::ssize(columns) == kColumnsMax) break;
  }
  return columns;
}

/// How many blocks are looked at of how many chunks.
struct Extract {
  int64_t blocks = 0, chunks = 0;
};
Extract ExtractOf(const Extent& leaf, int64_t chunks) {
  const double rows = leaf.rows_per_block > 0 ? leaf.rows_per_block : kRowsPerBlockMax;
  const auto blocks_max = static_cast<int64_t>(static_cast<double>(kRowsMax) / std::max(1.0, rows));
  Extract extract;
  extract.blocks =
      std::min({leaf.blocks, blocks_max, std::max(kBlocksMin, chunks * kBlocksPerChunk)});
  // A small table is looked at as a whole.
  extract.chunks = extract.blocks == leaf.blocks
                       ? chunks
                       : std::min(chunks, extract.blocks / kBlocksPerChunkMin);
  return extract;
}

Result<std::vector<SampledRow>> Sample(Connection* session, const std::string& table,
                                       const std::string& column, double percent) {
  FRESHET_TRY(Rows rows, session->Query(fmt::format(
                             "SELECT (ctid::text::point)[0]::int8, {0} FROM ONLY {1} "
                             "TABLESAMPLE SYSTEM ({2}) REPEATABLE (0) ORDER BY 2 NULLS FIRST",
                             QuoteIdentifier(column), table, percent)));
  std::vector<SampledRow> sample;
  sample.reserve(static_cast<size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) {
    SampledRow& sampled = sample.emplace_back(SampledRow{.block = rows.number(row, 0), .key = {}});
    if (!rows.null(row, 1)) sampled.key = std::string(rows.text(row, 1));
  }
  return sample;
}

}  // namespace

Result<std::optional<KeySplit>> DivideByKey(Connection* session, const Extent& leaf, int64_t chunks,
                                            const std::vector<std::string>& among) {
  FRESHET_TRY(const auto columns, ReadColumnsInOrder(session, leaf.oid, among));
  if (columns.empty() || leaf.blocks == 0) return std::optional<KeySplit>();
  FRESHET_TRY(Rows name, session->Query("SELECT $1::oid::regclass", {std::to_string(leaf.oid)}));
  const Extract extract = ExtractOf(leaf, chunks);
  const double fraction = static_cast<double>(extract.blocks) / static_cast<double>(leaf.blocks);
  for (const Column& column : columns) {
    FRESHET_TRY(const auto sample, Sample(session, std::string(name.text(0, 0)), column.name,
                                          std::min(100.0, 100 * fraction)));
    KeySplit split = SplitByKey(sample, extract.chunks);
    split.column = column.number;
    split.type = column.type.name;
    split.rows = static_cast<int64_t>(static_cast<double>(sample.size()) / fraction);
    const double block_weight =
        static_cast<double>(leaf.block_bytes) / static_cast<double>(leaf.bytes_per_block());
    if (Pays(split, block_weight)) return std::optional(std::move(split));
  }
  return std::optional<KeySplit>();
}

}  // namespace freshet::sources::postgres
