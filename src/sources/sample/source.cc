// SPDX-License-Identifier: Apache-2.0
#include "sources/sample/source.h"

#include <unistd.h>

#include <cerrno>

#include "sources/sample/catalog.h"
#include "sources/sample/changes.h"
#include "sources/sample/snapshot.h"

namespace freshet::sources::sample {
namespace {

/// Reads the journal anew for every question, so there is no state to guard.
class SampleSource final : public Source {
 public:
  SampleSource(Config config, std::string identity)
      : config_(std::move(config)), identity_(std::move(identity)) {}

  Traits traits() const override {
    return {"sample", /*exact_snapshots=*/true, /*reads_columns=*/false, identity_};
  }
  std::vector<Finding> Check() override;
  Result<std::vector<TableListing>> ListTables() override;
  Result<record::TableShape> Describe(const record::TableId& table) override;
  Result<std::unique_ptr<Snapshot>> BeginSnapshot() override {
    return sample::BeginSnapshot(config_);
  }
  Result<std::unique_ptr<Snapshot>> ResumeSnapshot(const std::string& handle) override {
    return sample::ResumeSnapshot(config_, handle);
  }
  Result<std::unique_ptr<ChangeStream>> OpenChanges(
      std::vector<std::shared_ptr<const record::TableShape>> shapes,
      const record::Cursor& from) override {
    return sample::OpenChanges(config_, std::move(shapes), from);
  }
  Status Forget() override;

 private:
  Result<Catalog> ReadCatalog() const;

  const Config config_;
  const std::string identity_;
};

Result<Catalog> SampleSource::ReadCatalog() const {
  FRESHET_TRY(JournalReader reader, JournalReader::Open(config_));
  FRESHET_TRY(JournalEnd end, ReadToEnd(&reader));
  return std::move(end.catalog);
}

std::vector<Finding> SampleSource::Check() {
  std::vector<Finding> findings;
  if (access(config_.directory.c_str(), W_OK) != 0) {
    findings.push_back(
        {std::nullopt,
         Error(ErrorClass::SOURCE_PRIVILEGE, "the position cannot be written beside the journal")
             .With("directory", config_.directory)
             .WithRemedy("chmod u+w " + config_.directory),
         true});
  }
  auto listings = ListTables();
  if (!listings.ok()) {
    findings.push_back({std::nullopt, listings.status(), true});
    return findings;
  }
  for (const auto& listing : *listings) {
    if (!listing.problem.ok()) findings.push_back({listing.name, listing.problem, true});
  }
  return findings;
}

Result<std::vector<TableListing>> SampleSource::ListTables() {
  FRESHET_TRY(Catalog catalog, ReadCatalog());
  std::vector<TableListing> listings;
  for (const auto& [name, table] : catalog.tables()) {
    listings.push_back({.id = table.shape.id,
                        .name = table.shape.name,
                        .problem = table.problem,
                        .rows_estimated = table.rows,
                        .partitions = {}});
  }
  return listings;
}

Result<record::TableShape> SampleSource::Describe(const record::TableId& table) {
  FRESHET_TRY(Catalog catalog, ReadCatalog());
  const JournalTable* found = catalog.Find(table);
  if (found == nullptr)
    return Error(ErrorClass::NOT_FOUND, "no table has the id {}", table.value());
  FRESHET_CHECK_OK(found->problem);
  return found->shape;
}

Status SampleSource::Forget() {
  if (config_.reader.empty()) return Status::Ok();
  std::string path = config_.position_file();
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return Status::Ok();
  return store::FromErrno(errno, "cannot remove", path);
}

}  // namespace

Result<std::unique_ptr<Source>> Open(Config config) {
  FRESHET_TRY(JournalReader reader, JournalReader::Open(config));
  return std::unique_ptr<Source>(
      std::make_unique<SampleSource>(std::move(config), "journal:" + reader.id()));
}

}  // namespace freshet::sources::sample
