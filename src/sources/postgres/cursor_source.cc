// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/cursor_source.h"

#include <mutex>

#include "sources/postgres/connection.h"
#include "sources/postgres/cursor_moment.h"
#include "sources/postgres/cursor_stream.h"
#include "sources/postgres/cursor_table.h"
#include "sources/postgres/snapshot.h"

namespace freshet::sources::postgres {
namespace {

/// One session for the catalog, used under a mutex and made anew when it broke; streams and
/// snapshots have their own.
class QueriedSource final : public Source {
 public:
  explicit QueriedSource(Config config) : config_(std::move(config)) {}

  Status Connect();
  /// Another identity than capture from the log has: their positions do not follow each other.
  Traits traits() const override {
    return {"postgres", /*exact_snapshots=*/true, /*reads_columns=*/false, identity_};
  }
  std::vector<Finding> Check() override;
  Result<std::vector<TableListing>> ListTables() override {
    std::lock_guard lock(mutex_);
    FRESHET_TRY(Connection * session, Session());
    return ListQueriedTables(session, config_);
  }
  Result<record::TableShape> Describe(const record::TableId& table) override {
    std::lock_guard lock(mutex_);
    FRESHET_TRY(Connection * session, Session());
    FRESHET_TRY(uint32_t oid, OidOf(table));
    FRESHET_TRY(QueriedTable found, ReadQueriedTable(session, oid, config_));
    return ToCommentedShape(session, found.table);
  }
  Result<std::unique_ptr<Snapshot>> BeginSnapshot() override {
    return postgres::BeginSnapshot(config_, epoch_);
  }
  Result<std::unique_ptr<Snapshot>> ResumeSnapshot(const std::string& handle) override {
    return postgres::ResumeSnapshot(config_, epoch_, handle);
  }
  Result<std::unique_ptr<ChangeStream>> OpenChanges(
      std::vector<std::shared_ptr<const record::TableShape>> shapes,
      const record::Cursor& from) override {
    return OpenQueriedChanges(config_, identity_, std::move(shapes), from);
  }
  /// Nothing was made.
  Status Forget() override { return Status::Ok(); }

 private:
  Result<Connection*> Session();

  const Config config_;
  std::string identity_;
  uint32_t epoch_ = 0;
  std::mutex mutex_;
  // Used under mutex_.
  std::unique_ptr<Connection> session_;
};

Result<Connection*> QueriedSource::Session() {
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

Status QueriedSource::Connect() {
  std::lock_guard lock(mutex_);
  FRESHET_TRY(Connection * session, Session());
  FRESHET_TRY(Rows rows, session->Query(fmt::format(
                             "SELECT (SELECT system_identifier FROM pg_control_system()), "
                             "(SELECT oid FROM pg_database WHERE datname = current_database()), {}",
                             kTimeline)));
  identity_ = fmt::format("{}-{}-queries", rows.text(0, 0), rows.text(0, 1));
  epoch_ = rows.oid(0, 2);
  return Status::Ok();
}

std::vector<Finding> QueriedSource::Check() {
  std::vector<Finding> findings;
  auto listings = ListTables();
  if (!listings.ok()) return {{std::nullopt, listings.status(), true}};
  for (const auto& listing : *listings) {
    if (!listing.problem.ok()) findings.push_back({listing.name, listing.problem, true});
  }
  return findings;
}

}  // namespace

Result<std::unique_ptr<Source>> OpenQueried(Config config) {
  auto source = std::make_unique<QueriedSource>(std::move(config));
  FRESHET_CHECK_OK(source->Connect());
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace freshet::sources::postgres
