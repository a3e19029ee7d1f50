// SPDX-License-Identifier: Apache-2.0
#include "pipeline/delete_pipeline.h"

#include <filesystem>

#include "base/log.h"
#include "pipeline/connection_settings.h"
#include "store/local_file.h"

namespace freshet::pipeline {
namespace {

using catalog::Kind;

/// Longer than a run has to end in, killed at the latest.
constexpr std::chrono::seconds kEndWait{40};

/// No update begins as long as it lives.
class Closing {
 public:
  Closing(PipelineBook* book, std::string id) : book_(book), id_(std::move(id)) {
    book_->SetClosing(id_, true);
  }
  ~Closing() { book_->SetClosing(id_, false); }
  Closing(const Closing&) = delete;
  Closing& operator=(const Closing&) = delete;

 private:
  PipelineBook* const book_;
  const std::string id_;
};

Status RemoveFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? store::FromErrno(error.value(), "cannot remove", path) : Status::Ok();
}

Status RemoveTable(catalog::Catalog& catalog, const catalog::Securable& table) {
  // Data first: what is left after a crash is still named, and removed by a second try.
  constexpr std::string_view kFile = "file://";
  FRESHET_CHECK_OK(RemoveFolder(table.fact("storage_location").substr(kFile.size())));
  return catalog.Drop(Kind::kTable, table.path, true);
}

Status RemoveTables(catalog::Catalog& catalog, const PipelineRecord& pipeline,
                    const Definition& definition) {
  for (const auto& destination : definition.destinations) {
    catalog::PageRequest request;
    do {
      auto page = catalog.List(Kind::kTable, {destination.catalog, destination.schema}, request);
      if (page.status().Is(ErrorClass::NOT_FOUND)) break;
      FRESHET_CHECK_OK(page);
      for (const auto& table : page->items) {
        if (table.fact("pipeline_id") == pipeline.id) FRESHET_CHECK_OK(RemoveTable(catalog, table));
      }
      request.after = page->next;
    } while (!request.after.empty());
  }
  return Status::Ok();
}

/// Slot and publication. A pipeline that never ran has none, and no folder.
Status ForgetAtSource(const UpdateParts& parts, const PipelineRecord& pipeline,
                      const Definition& definition, const std::string& folder) {
  std::error_code ignored;
  if (!std::filesystem::exists(folder + "/_freshet", ignored)) return Status::Ok();
  FRESHET_TRY(auto name, catalog::ParseFullName(definition.connection_name, 1));
  FRESHET_TRY(auto connection, parts.catalog->Get(Kind::kConnection, name));
  FRESHET_TRY(auto secrets, parts.catalog->SecretsOf(connection));
  DropOptions options{
      .directory = folder, .source = {}, .tables = false, .open_source = parts.open_source};
  FRESHET_TRY(options.source,
              SettingsOf(connection, secrets, definition.database, parts.data + "/connections"));
  spdlog::info("pipeline={} gives up what it has at its source", pipeline.id);
  return Drop(options, parts.clock).status();
}

Status RemoveAll(const UpdateParts& parts, const PipelineRecord& pipeline, bool cascade) {
  auto folder = FolderOfPipeline(parts.data, pipeline.id);
  FRESHET_TRY(auto definition, DefinitionOf(pipeline));
  FRESHET_CHECK_OK(ForgetAtSource(parts, pipeline, definition, folder));
  if (cascade) FRESHET_CHECK_OK(RemoveTables(*parts.catalog, pipeline, definition));
  return RemoveFolder(folder);
}

}  // namespace

Status DeletePipeline(const UpdateParts& parts, UpdateRunner& runner,
                      const PipelineRecord& pipeline, bool cascade, bool force) {
  Closing closing(parts.book, pipeline.id);
  FRESHET_CHECK_OK(runner.Stop(pipeline.id));
  if (!runner.WaitForEnd(pipeline.id, parts.clock->Now() + kEndWait)) {
    return Error(ErrorClass::DESTINATION_BUSY, "the pipeline's update does not end: {}",
                 pipeline.id)
        .WithRemedy("Try again.");
  }
  auto removed = RemoveAll(parts, pipeline, cascade);
  if (!removed.ok()) {
    if (!force) {
      return std::move(removed).WithRemedy(
          "Mend what the message says, or say force=true: what cannot be removed then stays.");
    }
    spdlog::warn("pipeline={} is removed, but: {}", pipeline.id, removed.ToString());
  }
  return parts.book->Remove(pipeline.id);
}

}  // namespace freshet::pipeline
