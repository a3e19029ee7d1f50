// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "base/log.h"
#include "pipeline/destination.h"
#include "pipeline/flow_book.h"
#include "pipeline/ingest.h"
#include "pipeline/owned_table.h"
#include "store/file_store.h"

namespace freshet::pipeline {
namespace {

constexpr std::chrono::seconds kLockWait{10};

Status RemoveFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return store::FromErrno(error.value(), "cannot remove", path);
  return Status::Ok();
}

/// The tables' folders that the book names and whose tables say that they are this owner's: a
/// folder is claimed before it is known whose table lies there. Then schemas' folders that are
/// empty.
Status RemoveTables(const Destination& destination, const TableOwner& owner) {
  FRESHET_TRY(auto root, store::OpenLocalStore(destination.root()));
  FRESHET_TRY(auto book, FlowBook::Open(root));
  for (const auto& [flow, entry] : book.entries()) {
    auto path = destination.root() + "/" + entry.folder;
    FRESHET_TRY(auto removed, RemoveTableOf(path, owner, true));
    if (!removed) spdlog::warn("left as it is, for it is another's: {}", path);
    auto schema = std::filesystem::path(path).parent_path();
    std::error_code ignored;
    // A link would go although what it leads to is not empty.
    if (!std::filesystem::is_symlink(schema, ignored))
      std::filesystem::remove(schema, ignored);  // fails unless empty
  }
  return Status::Ok();
}

}  // namespace

Result<bool> Drop(const DropOptions& options, Clock* clock) {
  auto opened = Destination::Open(options.directory);
  // A second drop of what is gone already is no mistake.
  std::error_code error;
  if (opened.status().Is(ErrorClass::NOT_FOUND) &&
      std::filesystem::is_directory(options.directory, error))
    return false;
  FRESHET_TRY(auto destination, std::move(opened));
  FRESHET_TRY(auto lock, destination.Lock(*clock, clock->Now() + kLockWait));
  FRESHET_TRY(auto record, destination.ReadSource());
  // One that somebody else's gateway fills has no source.
  if (record && !record->connector.empty()) {
    auto settings = options.source;
    if (settings.connector.empty()) {
      settings.connector = record->connector;
      settings.parameters = record->parameters;
    }
    settings.slot = record->slot;
    settings.publication = record->publication;
    settings.slot_given = record->slot_given;
    settings.publication_given = record->publication_given;
    FRESHET_TRY(auto source, options.open_source(settings));
    if (source->traits().identity != record->identity) {
      return Error(ErrorClass::DESTINATION_FOREIGN,
                   "the destination was filled from another source; its identity is {}, not {}",
                   record->identity, source->traits().identity);
    }
    FRESHET_CHECK_OK(source->Forget());
  }
  // Tables first: a crash in between leaves what a second drop needs to know.
  if (options.tables)
    FRESHET_CHECK_OK(RemoveTables(
        destination, record ? TableOwner{record->staging_id, record->pipeline} : TableOwner{}));
  FRESHET_CHECK_OK(RemoveFolder(destination.own()));
  return true;
}

}  // namespace freshet::pipeline
