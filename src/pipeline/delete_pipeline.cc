// SPDX-License-Identifier: Apache-2.0
#include "pipeline/delete_pipeline.h"

#include <filesystem>

#include "base/log.h"
#include "pipeline/connection_settings.h"
#include "pipeline/gateway_place.h"
#include "pipeline/inquiry.h"
#include "pipeline/owned_table.h"
#include "store/file_store.h"
#include "store/local_file.h"

namespace freshet::pipeline {
namespace {

using catalog::Kind;

/// Longer than a run has to end in, killed at the latest.
constexpr std::chrono::seconds kEndWait{40};

/// No update begins as long as it lives, and no second one does.
class Closing {
 public:
  Closing(PipelineBook* book, std::string id)
      : book_(book), id_(std::move(id)), held_(book_->Close(id_)) {}
  ~Closing() {
    if (held_) book_->Reopen(id_);
  }
  Closing(const Closing&) = delete;
  Closing& operator=(const Closing&) = delete;

  bool held() const { return held_; }

 private:
  PipelineBook* const book_;
  const std::string id_;
  const bool held_;
};

Status RemoveFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? store::FromErrno(error.value(), "cannot remove", path) : Status::Ok();
}

/// Those that were made before pipelines had marks of their own are the only pipeline's.
TableOwner OwnerOf(const catalog::Securable& table) {
  auto mark = table.fact("pipeline_mark");
  return {table.fact("staging"), mark.empty() ? kOnlyPipeline : mark};
}

/// What the catalog knows of the pipeline, wherever its definition once led; the data that are
/// still there only if the table itself says that they are the pipeline's.
Status RemoveTables(catalog::Catalog& catalog, const PipelineRecord& pipeline) {
  FRESHET_TRY(auto tables, catalog.TablesOf(pipeline.id));
  for (const auto& table : tables) {
    // Data first: what is left after a crash is still named, and removed by a second try.
    auto folder = table.folder();
    FRESHET_TRY(auto removed, RemoveTableOf(folder, OwnerOf(table), false));
    if (!removed) spdlog::warn("left as it is, for it is another's: {}", folder);
    FRESHET_CHECK_OK(catalog.Drop(Kind::kTable, table.path, true));
  }
  return Status::Ok();
}

/// How to reach what is captured for the pipeline or by it; nothing: a gateway does it.
Result<SourceSettings> SourceOf(const UpdateParts& parts, const PipelineRecord& pipeline) {
  std::string name, database;
  if (IsGateway(pipeline)) {
    FRESHET_TRY(auto gateway, BegunGateway(parts.data, pipeline));
    name = gateway.connection_name;
    database = gateway.database;
  } else {
    FRESHET_TRY(auto definition, DefinitionOf(pipeline));
    if (!definition.gateway.empty()) return SourceSettings();
    name = definition.connection_name;
    database = definition.database;
  }
  FRESHET_TRY(auto settings, ReachSource(*parts.catalog, parts.data, name, database));
  LimitSession(&settings);
  return settings;
}

/// Slot, publication and, if it is said, tables. A pipeline that never ran has none, and no folder.
Status DropWhatRan(const UpdateParts& parts, const PipelineRecord& pipeline, bool cascade,
                   const std::string& folder) {
  std::error_code ignored;
  // A gateway's staging goes with its slot, or stays with it.
  if (IsGateway(pipeline) && !cascade) return Status::Ok();
  if (!std::filesystem::exists(folder + "/_freshet", ignored)) return Status::Ok();
  DropOptions options{
      .directory = folder, .source = {}, .tables = cascade, .open_source = parts.open_source};
  FRESHET_TRY(options.source, SourceOf(parts, pipeline));
  spdlog::info("pipeline={} gives up what it has at its source", pipeline.id);
  return Drop(options, parts.clock).status();
}

/// A pipeline over a gateway: nothing is kept for it any more.
Status LeaveGateway(const UpdateParts& parts, const PipelineRecord& pipeline) {
  auto definition = DefinitionOf(pipeline);
  if (!definition.ok() || definition->gateway.empty()) return Status::Ok();
  auto folder = StagingOf(parts.data, definition->gateway);
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored)) return Status::Ok();
  FRESHET_TRY(auto staging, store::OpenLocalStore(folder));
  return LeaveStaging(*staging, record::PipelineId(pipeline.id));
}

Status RemoveVolume(const UpdateParts& parts, const PipelineRecord& pipeline) {
  if (!IsGateway(pipeline)) return Status::Ok();
  FRESHET_TRY(auto gateway, GatewayOf(pipeline));
  return RemoveStagingVolume(*parts.catalog, parts.data, pipeline, gateway);
}

/// A pipeline without its gateway could do nothing any more.
Status CheckUnused(const UpdateParts& parts, const PipelineRecord& pipeline) {
  FRESHET_TRY(auto over, parts.book->Over(pipeline.id));
  if (over.empty()) return Status::Ok();
  return Error(ErrorClass::DESTINATION_BUSY, "The gateway '{}' is used by the pipeline '{}' ({}).",
               pipeline.name, over[0].name, over[0].id)
      .WithRemedy("Delete the pipeline first; its tables stay with cascade=false.");
}

/// What a client would take for the pipeline's absence, or for a server that is busy and is asked
/// again and again, is neither: the source or its connection is not what it was.
Status Refused(const Status& why) {
  bool misread = why.code() == Code::kNotFound || why.code() == Code::kUnavailable;
  if (!misread || why.Is(ErrorClass::DESTINATION_BUSY)) return why;
  return Error(ErrorClass::SOURCE_CHANGED, "what the pipeline made cannot be removed: {}",
               why.ToString());
}

Status RemoveAll(const UpdateParts& parts, const PipelineRecord& pipeline, bool cascade,
                 bool force) {
  auto folder = FolderOfPipeline(parts.data, pipeline.id);
  if (auto dropped = DropWhatRan(parts, pipeline, cascade, folder); !dropped.ok()) {
    if (!force) return Refused(dropped);
    spdlog::warn("pipeline={} is removed, but: {}", pipeline.id, dropped.ToString());
  }
  FRESHET_CHECK_OK(LeaveGateway(parts, pipeline));
  if (cascade) FRESHET_CHECK_OK(RemoveTables(*parts.catalog, pipeline));
  if (cascade) FRESHET_CHECK_OK(RemoveVolume(parts, pipeline));
  return RemoveFolder(folder);
}

}  // namespace

Status DeletePipeline(const UpdateParts& parts, UpdateRunner& runner,
                      const PipelineRecord& pipeline, bool cascade, bool force) {
  Closing closing(parts.book, pipeline.id);
  if (!closing.held()) {
    return Error(ErrorClass::DESTINATION_BUSY, "The pipeline {} is being deleted.", pipeline.id);
  }
  // Whoever authors one over it has either done so before, or sees that it goes.
  FRESHET_CHECK_OK(parts.book->Author([&] { return CheckUnused(parts, pipeline); }));
  FRESHET_CHECK_OK(runner.Stop(pipeline.id));
  bool ended = runner.WaitForEnd(pipeline.id, parts.clock->Now() + kEndWait);
  // One that was begun a moment ago may not be in a thread yet.
  FRESHET_TRY(auto active, parts.book->Active(pipeline.id));
  if (!ended || active) {
    return Error(ErrorClass::DESTINATION_BUSY, "the pipeline's update does not end: {}",
                 pipeline.id)
        .WithRemedy("Try again.");
  }
  auto removed = RemoveAll(parts, pipeline, cascade, force);
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
