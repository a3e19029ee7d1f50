// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/snapshot.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "base/limits.h"
#include "base/random.h"
#include "sources/postgres/block_range.h"
#include "sources/postgres/chunk_reader.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/cursor_moment.h"
#include "sources/postgres/cursor_table.h"
#include "sources/postgres/discover.h"
#include "sources/postgres/lsn.h"
#include "sources/postgres/partitions.h"
#include "sources/postgres/slot.h"

namespace freshet::sources::postgres {
namespace {

/// Chunks of one table or partition.
constexpr int64_t kChunksMax = 16 * 1024;
/// A table or partition from here on is shared between the readers.
constexpr int64_t kSharedBytesMin = 16 * limits::kMiB;

struct Taken {
  SharedSnapshot shared;
  std::unique_ptr<Connection> holder;  // its transaction exported it
};

Status Export(std::unique_ptr<Connection> holder, Taken* taken) {
  FRESHET_TRY(Rows rows,
              holder->Query(fmt::format("SELECT pg_export_snapshot(), (extract(epoch FROM "
                                        "clock_timestamp()) * 1000000)::int8, {}",
                                        kSees)));
  taken->shared.name = rows.text(0, 0);
  taken->shared.taken_at = rows.number(0, 1);
  taken->shared.sees = rows.number(0, 2);
  taken->holder = std::move(holder);
  return Status::Ok();
}

/// Export a snapshot that no place in the log is exactly at: the place is at or before it, as that
/// of a read is at or after what it sees.
Result<Taken> TakeQueriedSnapshot(std::unique_ptr<Connection> holder, uint32_t epoch) {
  Taken taken;
  taken.shared.epoch = epoch;
  FRESHET_TRY(Rows place, holder->Query(fmt::format("SELECT {}", kLogPlace)));
  FRESHET_TRY(taken.shared.position, ParseLsn(place.text(0, 0)));
  FRESHET_CHECK_OK(holder->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  FRESHET_CHECK_OK(Export(std::move(holder), &taken));
  return taken;
}

/// Export the moment's snapshot from a temporary slot, hand it to a holder, and let the slot go.
Result<Taken> TakeSnapshot(const Config& config, uint32_t epoch) {
  FRESHET_TRY(auto holder, Connection::Connect(config, Connection::Mode::kQuery));
  if (config.rules != nullptr) return TakeQueriedSnapshot(std::move(holder), epoch);
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
  taken.shared.epoch = epoch;
  FRESHET_TRY(taken.shared.position, ParseLsn(made->text(0, 1)));
  FRESHET_CHECK_OK(holder->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  FRESHET_CHECK_OK(holder->Execute("SET TRANSACTION SNAPSHOT " + QuoteLiteral(made->text(0, 2))));
  FRESHET_CHECK_OK(Export(std::move(holder), &taken));
  return taken;
}

/// A table or partition as the catalog and its files show it now.
struct Extent {
  uint32_t oid = 0;
  int64_t blocks = 0, block_bytes = 0;
  int64_t bytes = 0;           // with what is stored out of line (TOAST)
  double rows_per_block = -1;  // -1: never analysed
  uint32_t file = 0;           // of its snapshot
};

/// A source's shared snapshot. What the catalog said then is asked in a transaction of its own each
/// time, for some of its functions lock every partition until the transaction's end.
class PostgresSnapshot final : public Snapshot {
 public:
  PostgresSnapshot(const Config& config, Taken taken)
      : shared_(taken.shared),
        config_(config),
        readers_(std::make_shared<ReaderPool>(config, taken.shared)),
        holder_(std::move(taken.holder)) {}

  record::Sequence Position() const override {
    return record::Sequence::Of(shared_.epoch, shared_.position, 0);
  }
  UtcMicros TakenAt() const override { return shared_.taken_at; }
  std::string Handle() const override { return ToHandle(shared_); }

  /// Errors: SNAPSHOT_STALE.
  Status CheckHeld() {
    return Within([](Connection*) { return Status::Ok(); });
  }

  Result<record::TableShape> Describe(const record::TableId& table) override {
    FRESHET_TRY(uint32_t oid, OidOf(table));
    record::TableShape shape;
    FRESHET_CHECK_OK(Within([&](Connection* session) -> Status {
      SourceTable found;
      if (config_.rules != nullptr) {
        FRESHET_TRY(QueriedTable queried, ReadQueriedTable(session, oid, config_));
        found = std::move(queried.table);
      } else {
        FRESHET_TRY(found, ReadTable(session, oid, config_.type_mapping));
        SelectColumns(config_.columns, &found);
      }
      FRESHET_TRY(shape, ToCommentedShape(session, found));
      return Status::Ok();
    }));
    return shape;
  }

  Result<std::vector<Chunk>> Plan(const record::TableShape& shape) override;
  Result<std::optional<std::vector<Chunk>>> PlanRest(const record::TableShape& shape,
                                                     const std::vector<std::string>& plan,
                                                     const std::set<int64_t>& done) override;

  Result<std::unique_ptr<ChunkReader>> Open(std::shared_ptr<const record::TableShape> shape,
                                            const Chunk& chunk) override {
    return OpenChunk(readers_, std::move(shape), chunk);
  }
  void Cancel() override { readers_->Cancel(); }

 private:
  /// Do something in a transaction that sees the snapshot and ends. A table that somebody holds
  /// locked is SOURCE_BLOCKED soon: whoever asks has other tables to see to.
  Status Within(const std::function<Status(Connection*)>& what) {
    FRESHET_TRY(auto session, readers_->Borrow());
    FRESHET_CHECK_OK(Join(session.get(), shared_));
    FRESHET_CHECK_OK(session->Execute("SET LOCAL lock_timeout = '1s'"));
    FRESHET_CHECK_OK(what(session.get()));
    FRESHET_CHECK_OK(session->Execute("COMMIT"));
    readers_->Return(std::move(session));
    return Status::Ok();
  }

  /// Where the table's rows lie. `ranges`: whether the server reads some of its blocks alone.
  Result<std::vector<Extent>> Leaves(const record::TableShape& shape, bool* ranges);

  const SharedSnapshot shared_;
  const Config config_;
  const std::shared_ptr<ReaderPool> readers_;
  const std::unique_ptr<Connection> holder_;  // none: another process has it
};

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

/// Whether the server reads a range of ctids alone. An older one reads the whole table and passes
/// over the rest, which costs a quarter of reading it, so there each reader has one chunk.
/// Source: PostgreSQL 14, release notes, "TID range scans".
bool ReadsRanges(const Connection& connection) { return connection.server_version() >= 140000; }

int64_t DividedUp(int64_t number, int64_t by) { return (number + by - 1) / by; }

/// How many blocks a chunk covers: its share of what lies out of line counts, else a chunk of a
/// table with large values would be many times the work that a crash may cost. All are alike, and
/// as many for each reader, so that no reader ends long before the others.
int64_t ChunkBlocks(const Extent& leaf, bool ranges) {
  constexpr int64_t kReaders = limits::kSnapshotReadersMax;
  int64_t blocks = std::max<int64_t>(1, leaf.blocks);
  int64_t bytes_per_block = std::max(leaf.block_bytes, leaf.bytes / blocks);
  auto step = std::max<int64_t>(1, static_cast<int64_t>(limits::kChunkBytesMax) / bytes_per_block);
  int64_t chunks = DividedUp(blocks, step);
  if (bytes_per_block * blocks >= kSharedBytesMin) chunks = DividedUp(chunks, kReaders) * kReaders;
  // A plan is kept in a manifest: it does not grow with the table.
  return DividedUp(blocks, std::min(chunks, ranges ? kChunksMax : kReaders));
}

Chunk ChunkOf(const Extent& leaf, int64_t first, std::optional<int64_t> end) {
  Chunk chunk;
  chunk.text =
      ToText({.oid = leaf.oid, .first = first, .end = end, .file = leaf.file, .size = leaf.blocks});
  auto blocks = static_cast<double>(std::max<int64_t>(0, end.value_or(leaf.blocks) - first));
  if (leaf.rows_per_block >= 0)
    chunk.rows_estimated = static_cast<int64_t>(leaf.rows_per_block * blocks);
  return chunk;
}

/// The last chunk of each leaf is open, for the table may have grown between the snapshot and this
/// look at its size. It comes first: what is written meanwhile is in none of the snapshot's rows,
/// but would be looked through.
std::vector<Chunk> PlanOf(const std::vector<Extent>& leaves, bool ranges) {
  std::vector<Chunk> chunks, closed;
  for (const Extent& leaf : leaves) {
    int64_t step = ChunkBlocks(leaf, ranges), first = 0;
    for (; first + step < leaf.blocks; first += step)
      closed.push_back(ChunkOf(leaf, first, first + step));
    chunks.push_back(ChunkOf(leaf, first, {}));
  }
  std::move(closed.begin(), closed.end(), std::back_inserter(chunks));
  for (size_t i = 0; i < chunks.size(); ++i) chunks[i].number = static_cast<int64_t>(i);
  return chunks;
}

/// A partitioned table is read partition by partition; a plain one is the one leaf of its own tree.
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

Result<std::vector<Extent>> PostgresSnapshot::Leaves(const record::TableShape& shape,
                                                     bool* ranges) {
  std::vector<Extent> leaves;
  FRESHET_CHECK_OK(Within([&](Connection* session) -> Status {
    *ranges = ReadsRanges(*session);
    FRESHET_TRY(Rows rows,
                session->Query(fmt::format(kExtents, Attached("i")), {shape.id.value()}));
    for (int row = 0; row < rows.size(); ++row) leaves.push_back(ExtentOf(rows, row));
    return Status::Ok();
  }));
  return leaves;
}

Result<std::vector<Chunk>> PostgresSnapshot::Plan(const record::TableShape& shape) {
  bool ranges = true;
  FRESHET_TRY(const auto leaves, Leaves(shape, &ranges));
  return PlanOf(leaves, ranges);
}

/// A row that nobody touched is still where it was, as long as its table's file is the same one.
/// What the file has grown by since is read too: changed rows go there first, and their changes may
/// not send all of them.
Result<std::optional<std::vector<Chunk>>> PostgresSnapshot::PlanRest(
    const record::TableShape& shape, const std::vector<std::string>& plan,
    const std::set<int64_t>& done) {
  // Not every change of a row moves its cursor column.
  if (config_.rules != nullptr) return std::optional<std::vector<Chunk>>();
  bool ranges = true;
  FRESHET_TRY(const auto leaves, Leaves(shape, &ranges));
  std::vector<Chunk> rest;
  std::map<uint32_t, int64_t> read_to;  // by leaf: of those that have no open chunk to be read
  std::set<uint32_t> open;
  for (int64_t number = 0; number < std::ssize(plan); ++number) {
    const std::string& text = plan[static_cast<size_t>(number)];
    FRESHET_TRY(const BlockRange range, BlockRangeFrom(text));
    const auto leaf = std::ranges::find(leaves, range.oid, &Extent::oid);
    if (leaf == leaves.end() || range.file == 0 || leaf->file != range.file)
      return std::optional<std::vector<Chunk>>();
    if (!done.contains(number)) {
      rest.push_back(ChunkOf(*leaf, range.first, range.end));
      rest.back().number = number;
      if (!range.end) open.insert(range.oid);
    } else if (!range.end) {
      read_to[range.oid] = std::max(read_to[range.oid], range.size);
    }
  }
  int64_t number = std::ssize(plan);
  for (const Extent& leaf : leaves) {
    const auto found = read_to.find(leaf.oid);
    if (found == read_to.end() || open.contains(leaf.oid) || leaf.blocks <= found->second) continue;
    rest.push_back(ChunkOf(leaf, found->second, {}));
    rest.back().number = number++;
  }
  return std::optional(std::move(rest));
}

}  // namespace

Result<std::unique_ptr<Snapshot>> BeginSnapshot(const Config& config, uint32_t epoch) {
  FRESHET_TRY(Taken taken, TakeSnapshot(config, epoch));
  return std::unique_ptr<Snapshot>(std::make_unique<PostgresSnapshot>(config, std::move(taken)));
}

Result<std::unique_ptr<Snapshot>> ResumeSnapshot(const Config& config, uint32_t epoch,
                                                 const std::string& handle) {
  Taken taken;
  FRESHET_TRY(taken.shared, FromHandle(handle));
  if (taken.shared.epoch != epoch)
    return Error(ErrorClass::SNAPSHOT_STALE, "the snapshot is of another history of the server: {}",
                 handle);
  auto snapshot = std::make_unique<PostgresSnapshot>(config, std::move(taken));
  FRESHET_CHECK_OK(snapshot->CheckHeld());
  return std::unique_ptr<Snapshot>(std::move(snapshot));
}

}  // namespace freshet::sources::postgres
