// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/snapshot.h"

#include <charconv>
#include <mutex>

#include "base/limits.h"
#include "base/random.h"
#include "sources/postgres/chunk_reader.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/discover.h"
#include "sources/postgres/lsn.h"
#include "sources/postgres/partitions.h"
#include "sources/postgres/slot.h"

namespace freshet::sources::postgres {
namespace {

struct Taken {
  Lsn position = 0;
  UtcMicros at = 0;
  std::string exported;
  std::unique_ptr<Connection> holder;
};

/// Export the moment's snapshot from a temporary slot, hand it to a holder, and let the slot go.
Result<Taken> TakeSnapshot(const Config& config) {
  FRESHET_TRY(auto holder, Connection::Connect(config, Connection::Mode::kQuery));
  FRESHET_TRY(auto replication, Connection::Connect(config, Connection::Mode::kReplication));
  std::string slot = "freshet_snapshot_" + RandomHex(8);
  // Source: PostgreSQL 14 and 15, "Streaming Replication Protocol", CREATE_REPLICATION_SLOT.
  auto made = replication->QueryUntil(
      fmt::format(
          "CREATE_REPLICATION_SLOT {} TEMPORARY LOGICAL pgoutput {}", QuoteIdentifier(slot),
          replication->server_version() >= 150000 ? "(SNAPSHOT 'export')" : "EXPORT_SNAPSHOT"),
      std::chrono::steady_clock::now() + config.slot_wait_max, holder.get());
  if (!made.ok()) return SlotError(made.status(), *replication);
  Taken taken;
  FRESHET_TRY(taken.position, ParseLsn(made->text(0, 1)));
  FRESHET_CHECK_OK(holder->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  FRESHET_CHECK_OK(holder->Execute("SET TRANSACTION SNAPSHOT " + QuoteLiteral(made->text(0, 2))));
  FRESHET_TRY(
      Rows rows,
      holder->Query(
          "SELECT pg_export_snapshot(), (extract(epoch FROM clock_timestamp()) * 1000000)::int8"));
  taken.exported = rows.text(0, 0);
  taken.at = rows.number(0, 1);
  taken.holder = std::move(holder);
  return taken;
}

/// A source's shared snapshot. The holder's session is used under a mutex, for the catalog as it
/// was; readers have their own.
class PostgresSnapshot final : public Snapshot {
 public:
  PostgresSnapshot(const Config& config, uint32_t epoch, Taken taken)
      : position_(record::Sequence::Of(epoch, taken.position, 0)),
        taken_at_(taken.at),
        mapping_(config.type_mapping),
        readers_(std::make_shared<ReaderPool>(config, taken.exported)),
        holder_(std::move(taken.holder)) {}

  record::Sequence Position() const override { return position_; }
  UtcMicros TakenAt() const override { return taken_at_; }

  Result<record::TableShape> Describe(const record::TableId& table) override {
    std::lock_guard lock(mutex_);
    FRESHET_TRY(uint32_t oid, OidOf(table));
    FRESHET_TRY(SourceTable found, ReadTable(holder_.get(), oid, mapping_));
    return ToShape(found);
  }

  Result<std::vector<Chunk>> Plan(const record::TableShape& shape) override;

  Result<std::unique_ptr<ChunkReader>> Open(std::shared_ptr<const record::TableShape> shape,
                                            const Chunk& chunk) override {
    return OpenChunk(readers_, std::move(shape), chunk);
  }

 private:
  const record::Sequence position_;
  const UtcMicros taken_at_;
  const TypeMapping mapping_;
  const std::shared_ptr<ReaderPool> readers_;
  std::mutex mutex_;
  // The holder's session is used under mutex_.
  std::unique_ptr<Connection> holder_;
};

/// Whether the server reads a range of ctids alone. An older one reads the whole table and passes
/// over the rest, which costs a quarter of reading it, so there each reader has one chunk.
/// Source: PostgreSQL 14, release notes, "TID range scans".
bool ReadsRanges(const Connection& connection) { return connection.server_version() >= 140000; }

Result<std::vector<Chunk>> PostgresSnapshot::Plan(const record::TableShape& shape) {
  std::lock_guard lock(mutex_);
  // A partitioned table is read partition by partition; a plain one is the one leaf of its own
  // tree.
  FRESHET_TRY(
      Rows rows,
      holder_->Query(
          fmt::format(
              "SELECT c.oid, coalesce(pg_relation_size(c.oid), 0) / "
              "current_setting('block_size')::int8, current_setting('block_size')::int8, "
              "greatest(c.reltuples, 0)::int8, greatest(c.relpages, 1) "
              "FROM pg_class c WHERE c.oid = $1::oid AND c.relkind <> 'p' OR c.oid IN "
              "(WITH RECURSIVE tree(oid) AS (SELECT i.inhrelid FROM pg_inherits i WHERE "
              "i.inhparent = $1::oid AND {0} "
              "UNION ALL SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid "
              "AND {0}) "
              "SELECT tree.oid FROM tree JOIN pg_class p ON p.oid = tree.oid WHERE p.relkind = 'r' "
              "AND p.relispartition) ORDER BY 1",
              Attached("i")),
          {shape.id.value()}));
  std::vector<Chunk> chunks;
  for (int row = 0; row < rows.size(); ++row) {
    int64_t blocks = rows.number(row, 1);
    int64_t step =
        std::max<int64_t>(1, static_cast<int64_t>(limits::kChunkBytesMax) / rows.number(row, 2));
    if (!ReadsRanges(*holder_)) {
      step =
          std::max(step, (blocks + limits::kSnapshotReadersMax - 1) / limits::kSnapshotReadersMax);
    }
    double rows_per_block =
        static_cast<double>(rows.number(row, 3)) / static_cast<double>(rows.number(row, 4));
    for (int64_t first = 0; first == 0 || first < blocks; first += step) {
      Chunk chunk;
      chunk.number = static_cast<int64_t>(chunks.size());
      // The last is open: the table may have grown between the snapshot and this look at its size.
      bool last = first + step >= blocks;
      chunk.text = fmt::format("table={} blocks={}..", rows.text(row, 0), first);
      if (!last) chunk.text += std::to_string(first + step);
      chunk.rows_estimated =
          static_cast<int64_t>(rows_per_block * static_cast<double>(std::min(
                                                    step, std::max<int64_t>(0, blocks - first))));
      chunks.push_back(std::move(chunk));
    }
  }
  return chunks;
}

}  // namespace

Result<std::unique_ptr<Snapshot>> BeginSnapshot(const Config& config, uint32_t epoch) {
  FRESHET_TRY(Taken taken, TakeSnapshot(config));
  return std::unique_ptr<Snapshot>(
      std::make_unique<PostgresSnapshot>(config, epoch, std::move(taken)));
}

}  // namespace freshet::sources::postgres
