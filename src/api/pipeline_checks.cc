// SPDX-License-Identifier: Apache-2.0
#include "api/pipeline_checks.h"

#include <algorithm>

#include "pipeline/capture_plan.h"
#include "pipeline/destination.h"
#include "pipeline/gateway_place.h"

namespace freshet::api {
namespace {

using catalog::Kind;
using pipeline::PipelineRecord;

Status CheckConnection(const Context& context, const std::string& connection_name) {
  FRESHET_TRY(auto name, catalog::ParseFullName(connection_name, 1));
  FRESHET_TRY(auto connection, context.catalog->Get(Kind::kConnection, name));
  if (connection.fact("connection_type") == "POSTGRESQL") return Status::Ok();
  return Error(ErrorClass::UNSUPPORTED_FIELD,
               "pipelines over connections of type {} are not supported yet",
               connection.fact("connection_type"));
}

/// What the gateway's staging was begun with stays.
Status CheckBegun(const Context& context, const PipelineRecord& gateway,
                  const pipeline::PipelineSpec& spec) {
  auto folder = pipeline::FolderOfPipeline(context.data, gateway.id);
  auto destination = pipeline::Destination::Open(folder);
  if (!destination.ok()) return Status::Ok();  // it has not run yet
  FRESHET_TRY(auto record, destination->ReadSource());
  if (!record) return Status::Ok();
  auto other = [](const std::string& said, const std::string& begun) {
    return !said.empty() && said != begun;
  };
  bool classic = spec.profile == "classic", was_classic = record->profile == "classic";
  if (!other(spec.slot, record->slot) && !other(spec.publication, record->publication) &&
      !other(spec.type_mapping, record->type_mapping) && (!classic || was_classic))
    return Status::Ok();
  return Error(ErrorClass::INVALID_ARGUMENT,
               "the gateway '{}' has begun with the slot {}, the publication {}, the type mapping "
               "{} and the profile {}",
               gateway.name, record->slot, record->publication, record->type_mapping,
               record->profile)
      .WithRemedy("Leave them out, or make another gateway.");
}

Status CheckGateway(const Context& context, const AuthoredPipeline& authored) {
  FRESHET_TRY(auto record, context.book->Get(authored.definition.gateway));
  if (!pipeline::IsGateway(record)) {
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "ingestion_definition.ingestion_gateway_id: the pipeline '{}' ({}) is no gateway",
                 record.name, record.id);
  }
  if (context.book->IsClosed(record.id)) {
    return Error(ErrorClass::DESTINATION_BUSY, "The gateway '{}' ({}) is being deleted.",
                 record.name, record.id);
  }
  FRESHET_TRY(auto gateway, pipeline::BegunGateway(context.data, record));
  FRESHET_TRY(auto followers, pipeline::FollowersOf(*context.book, record.id));
  std::erase_if(followers, [&](const auto& each) { return each.record.id == authored.record.id; });
  followers.push_back({authored.record, authored.definition});
  FRESHET_TRY(auto plan, pipeline::PlanCapture(gateway, std::move(followers)));
  return CheckBegun(context, record, plan.spec);
}

Status Fixed(std::string_view field, const std::string& former) {
  return Error(ErrorClass::INVALID_ARGUMENT, "{} cannot be changed: it is {}", field, former)
      .WithRemedy("Make another pipeline.");
}

bool SameName(const std::string& one, const std::string& other) {
  return catalog::Lower(one) == catalog::Lower(other);
}

/// A gateway stays with the database that it has begun to read, and with that of its pipelines.
Status CheckDatabase(const Context& context, const PipelineRecord& gateway,
                     const pipeline::GatewayDefinition& now) {
  if (now.database.empty()) return Status::Ok();
  constexpr std::string_view kField = "gateway_definition.connection_parameters.source_catalog";
  FRESHET_TRY(auto begun, pipeline::BegunDatabase(context.data, gateway.id));
  if (!begun.empty() && begun != now.database) return Fixed(kField, begun);
  FRESHET_TRY(auto followers, pipeline::FollowersOf(*context.book, gateway.id));
  for (const auto& [record, definition] : followers) {
    if (definition.database == now.database) continue;
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "{} is {}, but the pipeline '{}' ({}) over the gateway reads {}", kField,
                 now.database, record.name, record.id, definition.database)
        .WithRemedy("Make a gateway for each database.");
  }
  return Status::Ok();
}

}  // namespace

Status CheckAuthored(const Context& context, const AuthoredPipeline& authored) {
  if (authored.events) {
    FRESHET_CHECK_OK(pipeline::CheckEventTarget(*context.catalog, authored.record.id,
                                                authored.definition, *authored.events));
  }
  if (authored.gateway) {
    FRESHET_CHECK_OK(CheckConnection(context, authored.gateway->connection_name));
    return context.catalog->Get(Kind::kCatalog, {authored.gateway->storage.catalog}).status();
  }
  if (authored.definition.gateway.empty()) {
    FRESHET_CHECK_OK(CheckConnection(context, authored.definition.connection_name));
  } else {
    FRESHET_CHECK_OK(CheckGateway(context, authored));
  }
  for (const auto& destination : authored.definition.destinations)
    FRESHET_CHECK_OK(context.catalog->Get(Kind::kCatalog, {destination.catalog}));
  return Status::Ok();
}

Status CheckEdit(const Context& context, const PipelineRecord& former,
                 const AuthoredPipeline& authored) {
  bool gateway = pipeline::IsGateway(former);
  if (gateway != authored.gateway.has_value())
    return Fixed("the kind of a pipeline", gateway ? "a gateway" : "an ingestion pipeline");
  if (gateway) {
    FRESHET_TRY(auto was, pipeline::GatewayOf(former));
    const auto& now = *authored.gateway;
    if (!SameName(was.connection_name, now.connection_name))
      return Fixed("gateway_definition.connection_name", was.connection_name);
    if (was.storage != now.storage)
      return Fixed("gateway_definition.gateway_storage_catalog and gateway_storage_schema",
                   was.storage.key());
    if (!SameName(was.volume, now.volume))
      return Fixed("gateway_definition.gateway_storage_name", was.volume);
    return CheckDatabase(context, former, now);
  }
  FRESHET_TRY(auto was, pipeline::DefinitionOf(former));
  if (!SameName(was.connection_name, authored.definition.connection_name))
    return Fixed("ingestion_definition.connection_name", was.connection_name);
  if (was.gateway != authored.definition.gateway)
    return Fixed("ingestion_definition.ingestion_gateway_id", was.gateway);
  FRESHET_TRY(auto begun, pipeline::BegunDatabase(context.data, former.id));
  if (!begun.empty() && begun != authored.definition.database)
    return Fixed("the source_catalog of ingestion_definition.objects", begun);
  return Status::Ok();
}

Status Deploy(const Context& context, const PipelineRecord& record,
              const AuthoredPipeline& authored) {
  if (authored.gateway) {
    FRESHET_CHECK_OK(
        pipeline::MakeStagingVolume(*context.catalog, context.data, record, *authored.gateway));
  }
  auto made = DeployEventLog(context, record, authored);
  if (made.ok() || !authored.gateway) return made;
  FRESHET_CHECK_OK(
      pipeline::RemoveStagingVolume(*context.catalog, context.data, record, *authored.gateway));
  return made;
}

Status DeployEventLog(const Context& context, const PipelineRecord& record,
                      const AuthoredPipeline& authored) {
  if (!authored.events) return Status::Ok();
  return pipeline::MakeEventTable(*context.catalog, record, *authored.events,
                                  context.update_parts->clock)
      .status();
}

}  // namespace freshet::api
