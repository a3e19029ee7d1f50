// SPDX-License-Identifier: Apache-2.0
#include "pipeline/delete_pipeline.h"

#include <filesystem>

#include "base/log.h"
#include "pipeline/connection_settings.h"
#include "pipeline/event_publisher.h"
#include "pipeline/gateway_place.h"
#include "pipeline/inquiry.h"
#include "pipeline/owned_table.h"
#include "store/file_store.h"
#include "store/local_file.h"

namespace freshet::pipeline {
namespace {

using catalog::Kind;

/// How long a request waits for an update's end, and for another deletion's. The published clients
/// wait a minute for an answer, and the source needs some of that.
constexpr std::chrono::seconds kEndWait{15}, kClosingWait{40};
constexpr std::chrono::milliseconds kClosingInterval{100};

/// No update begins as long as it lives, and no second one does; it waits for the first.
class Closing {
 public:
  Closing(PipelineBook* book, Clock* clock, std::string id)
      : book_(book), id_(std::move(id)), held_(book_->Close(id_)) {
    auto until = clock->Now() + kClosingWait;
    while (!held_ && clock->Now() < until) {
      clock->WaitUntil(clock->Now() + kClosingInterval, {});
      held_ = book_->Close(id_);
    }
  }
  ~Closing() {
    if (held_) book_->Reopen(id_);
  }
  Closing(const Closing&) = delete;
  Closing& operator=(const Closing&) = delete;

  bool held() const { return held_; }

 private:
  PipelineBook* const book_;
  const std::string id_;
  bool held_;
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

/// Data first: what is left after a crash is still named, and removed by a second try.
Status RemoveTable(catalog::Catalog& catalog, const catalog::Securable& table) {
  auto folder = table.folder();
  FRESHET_TRY(auto removed, RemoveTableOf(folder, OwnerOf(table), false));
  if (!removed) spdlog::warn("left as it is, for it is another's: {}", folder);
  return catalog.Drop(Kind::kTable, table.path, true);
}

/// What a deletion does, one step after the other.
class Removal {
 public:
  explicit Removal(bool force) : force_(force) {}

  /// Do a step; an error ends the deletion, unless it is forced: then that is left.
  Status Do(const Status& done) {
    if (done.ok() || !force_) return done;
    spdlog::warn("left where it is, for it cannot be removed: {}", done.ToString());
    left_.push_back(done);
    return Status::Ok();
  }
  std::vector<Status> TakeLeft() { return std::move(left_); }

 private:
  const bool force_;
  std::vector<Status> left_;
};

/// What the catalog knows of the pipeline, wherever its definition once led; the data that are
/// still there only if the table itself says that they are the pipeline's.
Status RemoveTables(catalog::Catalog& catalog, const PipelineRecord& pipeline, Removal* removal) {
  FRESHET_TRY(auto tables, catalog.TablesOf(pipeline.id));
  for (const auto& table : tables) {
    auto removed = RemoveTable(catalog, table);
    if (!removed.ok()) removed = std::move(removed).With("table", catalog::FullName(table.path));
    FRESHET_CHECK_OK(removal->Do(removed));
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

/// A gateway's volume goes with it, or says what it is without.
Status SeeToVolume(const UpdateParts& parts, const PipelineRecord& pipeline, bool cascade) {
  if (!IsGateway(pipeline)) return Status::Ok();
  FRESHET_TRY(auto gateway, GatewayOf(pipeline));
  return cascade ? RemoveStagingVolume(*parts.catalog, parts.data, pipeline, gateway)
                 : LeaveStagingVolume(*parts.catalog, parts.data, pipeline, gateway);
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
                 Removal* removal) {
  auto folder = FolderOfPipeline(parts.data, pipeline.id);
  FRESHET_CHECK_OK(removal->Do(Refused(DropWhatRan(parts, pipeline, cascade, folder))));
  FRESHET_CHECK_OK(removal->Do(LeaveGateway(parts, pipeline)));
  if (cascade) FRESHET_CHECK_OK(removal->Do(RemoveTables(*parts.catalog, pipeline, removal)));
  // What a volume that stays says of its slot stands in the folder.
  FRESHET_CHECK_OK(removal->Do(SeeToVolume(parts, pipeline, cascade)));
  return removal->Do(RemoveFolder(folder));
}

/// Whether the pipeline's update has ended, and none begins any more.
Result<bool> StopUpdate(const UpdateParts& parts, UpdateRunner& runner, const std::string& id) {
  FRESHET_CHECK_OK(runner.Stop(id));
  if (!runner.WaitForEnd(id, parts.clock->Now() + kEndWait)) return false;
  // One that was begun a moment ago may not be in a thread yet.
  FRESHET_TRY(auto active, parts.book->Active(id));
  return !active.has_value();
}

/// Nothing is written any more to the table of its events, which goes with the others or is left
/// with all of them.
void LeaveEventLog(const UpdateParts& parts, const PipelineRecord& pipeline, bool cascade) {
  if (parts.publisher == nullptr) return;
  if (auto left = parts.publisher->Leave(pipeline, !cascade); !left.ok())
    spdlog::warn("pipeline={} its last events are not published: {}", pipeline.id, left.ToString());
}

}  // namespace

Result<Deleted> DeletePipeline(const UpdateParts& parts, UpdateRunner& runner,
                               const PipelineRecord& pipeline, const Deletion& how) {
  Closing closing(parts.book, parts.clock, pipeline.id);
  if (!closing.held()) return Deleted{.done = false};
  if (parts.book->Get(pipeline.id).status().Is(ErrorClass::NOT_FOUND)) return Deleted();
  // Whoever authors one over it has either done so before, or sees that it goes.
  FRESHET_CHECK_OK(parts.book->Author([&] { return CheckUnused(parts, pipeline); }));
  FRESHET_TRY(bool ended, StopUpdate(parts, runner, pipeline.id));
  if (!ended) return Deleted{.done = false};
  LeaveEventLog(parts, pipeline, how.cascade);
  Removal removal(how.force);
  auto removed = RemoveAll(parts, pipeline, how.cascade, &removal);
  if (!removed.ok()) {
    return std::move(removed).WithRemedy(
        "Mend what the message says, or say force=true: what cannot be removed then stays.");
  }
  FRESHET_CHECK_OK(parts.book->Remove(pipeline.id));
  return Deleted{.left = removal.TakeLeft()};
}

}  // namespace freshet::pipeline
