// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gateway_place.h"

#include <filesystem>

#include "pipeline/destination.h"
#include "pipeline/update_plan.h"
#include "store/local_file.h"

namespace freshet::pipeline {
namespace {

using catalog::Kind;

/// A volume's fact: the gateway that made it and is gone.
constexpr std::string_view kLeftBy = "left_by_pipeline";

/// One place for good, whatever the volume is called and whoever forgets it.
std::string VolumeOf(const std::string& data, const std::string& gateway) {
  return data + "/volumes/" + gateway;
}

catalog::Path PathOf(const GatewayDefinition& definition) {
  return {definition.storage.catalog, definition.storage.schema, definition.volume};
}

Status RemoveVolumeFolder(const std::string& data, const std::string& gateway) {
  std::error_code error;
  std::filesystem::remove_all(VolumeOf(data, gateway), error);
  return error ? store::FromErrno(error.value(), "cannot remove", VolumeOf(data, gateway))
               : Status::Ok();
}

/// What a pipeline's folder was begun with; nothing: it was not.
Result<std::optional<SourceRecord>> SourceOf(const std::string& data, const std::string& pipeline) {
  auto destination = Destination::Open(FolderOfPipeline(data, pipeline));
  if (!destination.ok()) return std::optional<SourceRecord>();
  return destination->ReadSource();
}

}  // namespace

std::string StagingOf(const std::string& data, const std::string& gateway) {
  return VolumeOf(data, gateway) + "/staging";
}

Status MakeStagingVolume(catalog::Catalog& catalog, const std::string& data,
                         const PipelineRecord& gateway, const GatewayDefinition& definition) {
  auto path = PathOf(definition);
  FRESHET_CHECK_OK(MakeSchema(catalog, definition.storage, gateway.creator));
  auto found = catalog.Get(Kind::kVolume, path);
  if (found.ok() && found->fact("pipeline_id") == gateway.id) return Status::Ok();
  if (found.ok()) {
    return Error(ErrorClass::ALREADY_EXISTS, "Volume '{}' already exists.", catalog::FullName(path))
        .WithRemedy("Give another gateway_storage_name: a gateway makes a volume of its own.");
  }
  if (!found.status().Is(ErrorClass::NOT_FOUND)) return found.status();
  catalog::Securable volume{.kind = Kind::kVolume, .path = path};
  volume.comment = "What the gateway '" + gateway.name + "' has captured";
  volume.facts = {{"volume_type", "MANAGED"},
                  {"pipeline_id", gateway.id},
                  {"storage_location", catalog::FileUri(VolumeOf(data, gateway.id))}};
  FRESHET_CHECK_OK(store::MakeFolders(StagingOf(data, gateway.id)));
  return catalog.Create(std::move(volume), {}, gateway.creator).status();
}

Status RemoveStagingVolume(catalog::Catalog& catalog, const std::string& data,
                           const PipelineRecord& gateway, const GatewayDefinition& definition) {
  FRESHET_CHECK_OK(RemoveVolumeFolder(data, gateway.id));
  auto found = catalog.Get(Kind::kVolume, PathOf(definition));
  if (found.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();
  FRESHET_CHECK_OK(found);
  if (found->fact("pipeline_id") != gateway.id) return Status::Ok();
  return catalog.Drop(Kind::kVolume, found->path, true);
}

Status LeaveStagingVolume(catalog::Catalog& catalog, const std::string& data,
                          const PipelineRecord& gateway, const GatewayDefinition& definition) {
  auto found = catalog.Get(Kind::kVolume, PathOf(definition));
  if (found.status().Is(ErrorClass::NOT_FOUND)) return Status::Ok();
  FRESHET_CHECK_OK(found);
  if (found->fact("pipeline_id") != gateway.id) return Status::Ok();
  std::string source = "It had not begun.";
  FRESHET_TRY(auto record, SourceOf(data, gateway.id));
  if (record) {
    source = fmt::format("Its slot '{}' and its publication '{}' are still at the source.",
                         record->slot, record->publication);
  }
  catalog::Change change;
  change.comment = fmt::format("What the gateway '{}' had captured when it was deleted. {}",
                               gateway.name, source);
  change.facts = {{"pipeline_id", ""}, {std::string(kLeftBy), gateway.id}};
  return catalog.Alter(Kind::kVolume, found->path, change, gateway.creator).status();
}

Status RemoveLeftStaging(const std::string& data, const catalog::Securable& volume) {
  auto gateway = volume.fact(std::string(kLeftBy));
  return gateway.empty() ? Status::Ok() : RemoveVolumeFolder(data, gateway);
}

Result<std::string> BegunDatabase(const std::string& data, const std::string& pipeline) {
  FRESHET_TRY(auto record, SourceOf(data, pipeline));
  if (!record) return std::string();
  for (const auto& [name, value] : record->parameters) {
    if (name == "dbname") return value;
  }
  return std::string();
}

Result<GatewayDefinition> BegunGateway(const std::string& data, const PipelineRecord& gateway) {
  FRESHET_TRY(auto definition, GatewayOf(gateway));
  if (definition.database.empty()) {
    FRESHET_TRY(definition.database, BegunDatabase(data, gateway.id));
  }
  return definition;
}

Status LinkStaging(const std::string& data, const std::string& pipeline,
                   const std::string& gateway) {
  auto target = StagingOf(data, gateway);
  auto own = FolderOfPipeline(data, pipeline) + "/_freshet";
  FRESHET_CHECK_OK(store::MakeFolders(target));
  FRESHET_CHECK_OK(store::MakeFolders(own));
  auto link = own + "/staging";
  std::error_code error;
  if (std::filesystem::read_symlink(link, error) == target) return Status::Ok();
  std::filesystem::create_directory_symlink(target, link, error);
  if (error) return store::FromErrno(error.value(), "cannot link the staging", link);
  return store::SyncFolder(own);
}

}  // namespace freshet::pipeline
