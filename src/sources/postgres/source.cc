// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/source.h"

#include <mutex>

#include "sources/postgres/changes.h"
#include "sources/postgres/check.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/discover.h"
#include "sources/postgres/partitions.h"
#include "sources/postgres/slot.h"
#include "sources/postgres/snapshot.h"

namespace freshet::sources::postgres {
namespace {

/// Source: PostgreSQL 16, release notes, "logical decoding on standbys".
constexpr int kStandbyVersionMin = 160000;

/// One session for the catalog, used under a mutex and made anew when it broke; streams and
/// snapshots have their own.
class PostgresSource final : public Source {
 public:
  explicit PostgresSource(Config config) : config_(std::move(config)) {}

  Status Connect();
  Traits traits() const override {
    return {"postgres", /*exact_snapshots=*/true, /*reads_columns=*/true, identity_};
  }
  std::vector<Finding> Check() override;
  Result<std::vector<TableListing>> ListTables() override;
  Result<record::TableShape> Describe(const record::TableId& table) override;
  Result<std::unique_ptr<Snapshot>> BeginSnapshot() override {
    return postgres::BeginSnapshot(config_, epoch_);
  }
  Result<std::unique_ptr<Snapshot>> ResumeSnapshot(const std::string& handle) override {
    return postgres::ResumeSnapshot(config_, epoch_, handle);
  }
  Result<std::unique_ptr<ChangeStream>> OpenChanges(
      std::vector<std::shared_ptr<const record::TableShape>> shapes,
      const record::Cursor& from) override {
    return postgres::OpenChanges({config_, epoch_, identity_}, std::move(shapes), from);
  }
  Status Forget() override;

 private:
  Result<Connection*> Session();
  static Result<uint32_t> Timeline(Connection* session);
  Result<uint32_t> StandbyTimeline();
  Result<std::vector<TableListing>> ListTablesIn(Connection* session);

  const Config config_;
  std::string identity_;
  uint32_t epoch_ = 0;
  std::mutex mutex_;
  // Used under mutex_.
  std::unique_ptr<Connection> session_;
};

Result<Connection*> PostgresSource::Session() {
  if (session_ == nullptr || !session_->usable()) {
    FRESHET_TRY(auto session, Connection::Connect(config_, Connection::Mode::kQuery));
    if (session->server_version() < kServerVersionMin) {
      return Error(ErrorClass::SOURCE_UNSUPPORTED, "the server is older than PostgreSQL {}: {}",
                   kServerVersionMin / 10000, session->server_version() / 10000);
    }
    FRESHET_CHECK_OK(session->LimitLockWaits());
    session_ = std::move(session);
  }
  return session_.get();
}

Status PostgresSource::Connect() {
  std::lock_guard lock(mutex_);
  FRESHET_TRY(Connection * session, Session());
  FRESHET_TRY(
      Rows rows,
      session->Query(
          "SELECT (SELECT system_identifier FROM pg_control_system()), "
          "(SELECT oid FROM pg_database WHERE datname = current_database()), pg_is_in_recovery()"));
  identity_ = fmt::format("{}-{}", rows.text(0, 0), rows.text(0, 1));
  bool standby = rows.truth(0, 2);
  if (standby && session->server_version() < kStandbyVersionMin) {
    return Error(ErrorClass::SOURCE_UNSUPPORTED,
                 "the server is a standby, which sends changes from PostgreSQL {} on: {}",
                 kStandbyVersionMin / 10000, session->server_version() / 10000)
        .WithRemedy("Point at the primary server.");
  }
  if (standby && !config_.publication_given) {
    return Error(ErrorClass::SOURCE_UNSUPPORTED,
                 "the server is a standby, where no publication can be made")
        .WithRemedy(
            "Make one at the primary and pass it with --publication, or point at the primary.");
  }
  FRESHET_TRY(epoch_, standby ? StandbyTimeline() : Timeline(session));
  return Status::Ok();
}

/// The first eight digits of a log file's name are the timeline, which grows with every promotion
/// and point-in-time recovery.
Result<uint32_t> PostgresSource::Timeline(Connection* session) {
  FRESHET_TRY(
      Rows rows,
      session->Query(
          "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int8"));
  return rows.oid(0, 0);
}

/// A standby names the timeline that it follows to those who replicate only.
Result<uint32_t> PostgresSource::StandbyTimeline() {
  FRESHET_TRY(auto replication, Connection::Connect(config_, Connection::Mode::kReplication));
  FRESHET_TRY(Rows rows, replication->Query("IDENTIFY_SYSTEM"));
  return rows.oid(0, 1);
}

Result<std::vector<TableListing>> PostgresSource::ListTablesIn(Connection* session) {
  // First: of a table that goes meanwhile there is then no listing, and not a listing that the log
  // does not tell of.
  FRESHET_TRY(auto memos, ReadMemos(session, config_.publication));
  FRESHET_TRY(auto listings, postgres::ListTables(session, !config_.publication_given));
  FRESHET_TRY(auto leaves, ReadLeaves(session, config_.publication, {}));
  std::map<uint32_t, std::vector<record::Partition>> partitions;
  for (auto& leaf : leaves) partitions[leaf.root].push_back(std::move(leaf.partition));
  for (auto& listing : listings) {
    FRESHET_TRY(uint32_t oid, OidOf(listing.id));
    if (listing.partitions) listing.partitions = std::move(partitions[oid]);
    if (listing.unlogged.ok()) listing.memo = memos[oid];
  }
  if (!config_.publication_given) return listings;
  std::map<uint32_t, record::TableName> fit;
  for (const auto& listing : listings) {
    if (!listing.problem.ok() || !listing.unlogged.ok()) continue;
    FRESHET_TRY(uint32_t oid, OidOf(listing.id));
    fit[oid] = listing.name;
  }
  FRESHET_TRY(PublicationProblems problems, CheckGivenPublication(session, config_, fit));
  for (auto& listing : listings) {
    FRESHET_TRY(uint32_t oid, OidOf(listing.id));
    auto found = problems.tables.find(oid);
    if (found != problems.tables.end()) listing.problem = found->second;
  }
  return listings;
}

Result<std::vector<TableListing>> PostgresSource::ListTables() {
  std::lock_guard lock(mutex_);
  FRESHET_TRY(Connection * session, Session());
  return ListTablesIn(session);
}

Result<record::TableShape> PostgresSource::Describe(const record::TableId& table) {
  std::lock_guard lock(mutex_);
  FRESHET_TRY(Connection * session, Session());
  FRESHET_TRY(uint32_t oid, OidOf(table));
  FRESHET_TRY(SourceTable found, ReadTable(session, oid, config_.type_mapping));
  SelectColumns(config_.columns, &found);
  return ToCommentedShape(session, found);
}

std::vector<Finding> PostgresSource::Check() {
  std::lock_guard lock(mutex_);
  auto session = Session();
  if (!session.ok()) return {{std::nullopt, session.status(), true}};
  std::vector<Finding> findings = CheckServer(**session, config_);
  auto listings = ListTablesIn(*session);
  if (!listings.ok()) {
    findings.push_back({std::nullopt, listings.status(), true});
    return findings;
  }
  for (const auto& listing : *listings) {
    // Nobody asked for a view yet.
    if (listing.derived) continue;
    if (!listing.unlogged.ok()) findings.push_back({listing.name, listing.unlogged, false});
    // One that the log does not tell of need not be owned.
    if (listing.problem.ok()) {
      std::erase_if(findings, [&](const Finding& finding) {
        return finding.fatal && finding.table == listing.name;
      });
    }
    // Rights are among the server's findings already.
    if (listing.problem.ok() || listing.problem.Is(ErrorClass::SOURCE_PRIVILEGE)) continue;
    findings.push_back({listing.name, listing.problem, true});
  }
  return findings;
}

Status PostgresSource::Forget() {
  std::lock_guard lock(mutex_);
  FRESHET_TRY(Connection * session, Session());
  if (!config_.slot_given && !config_.slot.empty())
    FRESHET_CHECK_OK(DropSlot(session, config_.slot));
  if (!config_.publication_given && !config_.publication.empty())
    FRESHET_CHECK_OK(DropPublication(session, config_.publication));
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<Source>> Open(Config config) {
  auto source = std::make_unique<PostgresSource>(std::move(config));
  FRESHET_CHECK_OK(source->Connect());
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace freshet::sources::postgres
