// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/snapshot.h"

#include <functional>
#include <map>
#include <optional>
#include <set>

#include "base/limits.h"
#include "base/random.h"
#include "sources/postgres/chunk_plan.h"
#include "sources/postgres/chunk_reader.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/cursor_moment.h"
#include "sources/postgres/cursor_table.h"
#include "sources/postgres/discover.h"
#include "sources/postgres/extent.h"
#include "sources/postgres/key_sample.h"
#include "sources/postgres/lsn.h"
#include "sources/postgres/slot.h"

namespace freshet::sources::postgres {
namespace {

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
  /// How to divide a leaf whose blocks cannot be read alone; nothing: by no key.
  Result<std::optional<KeySplit>> SplitOf(const record::TableShape& shape, const Extent& leaf);

  const SharedSnapshot shared_;
  const Config config_;
  const std::shared_ptr<ReaderPool> readers_;
  const std::unique_ptr<Connection> holder_;  // none: another process has it
};

/// Whether the server reads a range of ctids alone. An older one reads the whole table and passes
/// over the rest, which costs a quarter of reading it.
/// Source: PostgreSQL 14, release notes, "TID range scans".
bool ReadsRanges(const Connection& connection) { return connection.server_version() >= 140000; }

Result<std::vector<Extent>> PostgresSnapshot::Leaves(const record::TableShape& shape,
                                                     bool* ranges) {
  std::vector<Extent> leaves;
  FRESHET_CHECK_OK(Within([&](Connection* session) -> Status {
    *ranges = ReadsRanges(*session);
    FRESHET_TRY(leaves, ReadExtents(session, shape.id));
    return Status::Ok();
  }));
  return leaves;
}

/// What a statement says of a table that is gone by now, reading it says better.
Result<std::optional<KeySplit>> PostgresSnapshot::SplitOf(const record::TableShape& shape,
                                                          const Extent& leaf) {
  std::optional<KeySplit> split;
  Status divided = Within([&](Connection* session) -> Status {
    FRESHET_TRY(split, DivideByKey(session, leaf, ChunksOf(leaf), shape.schema->field_names()));
    return Status::Ok();
  });
  if (!divided.Is(ErrorClass::SOURCE_QUERY)) FRESHET_CHECK_OK(divided);
  return split;
}

Result<std::vector<Chunk>> PostgresSnapshot::Plan(const record::TableShape& shape) {
  bool ranges = true;
  FRESHET_TRY(const auto leaves, Leaves(shape, &ranges));
  std::map<uint32_t, KeySplit> splits;
  for (const Extent& leaf : leaves) {
    // Of few chunks each reader has one, and looks through the whole leaf once.
    if (ranges || ChunksOf(leaf) <= limits::kSnapshotReadersMax) continue;
    FRESHET_TRY(auto split, SplitOf(shape, leaf));
    if (split) splits.emplace(leaf.oid, *std::move(split));
  }
  return PlanChunks(leaves, ranges, splits);
}

Result<std::optional<std::vector<Chunk>>> PostgresSnapshot::PlanRest(
    const record::TableShape& shape, const std::vector<std::string>& plan,
    const std::set<int64_t>& done) {
  // Not every change of a row moves its cursor column.
  if (config_.rules != nullptr) return std::optional<std::vector<Chunk>>();
  bool ranges = true;
  FRESHET_TRY(const auto leaves, Leaves(shape, &ranges));
  return PlanRestOf(leaves, plan, done);
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
