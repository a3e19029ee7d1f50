// SPDX-License-Identifier: Apache-2.0
#include "api/pipeline_access.h"

#include <algorithm>

#include "api/object_levels.h"
#include "pipeline/event_target.h"

namespace freshet::api {
namespace {

using catalog::Kind;

/// In a schema that is there, tables are made; one that is not is made first.
Result<Verdict> CheckSchema(const Context& context, const catalog::Caller& caller,
                            const std::string& catalog, const std::string& schema,
                            std::string_view privilege) {
  auto checked = CheckPrivilege(context, caller, "USE_SCHEMA", Kind::kSchema, {catalog, schema});
  if (checked.status().Is(ErrorClass::NOT_FOUND))
    return CheckPrivilege(context, caller, "CREATE_SCHEMA", Kind::kCatalog, {catalog});
  if (!checked.ok() || *checked) return checked;
  return CheckPrivilege(context, caller, privilege, Kind::kSchema, {catalog, schema});
}

/// What a pipeline works with, of one kind or the other.
struct Works {
  std::optional<pipeline::GatewayDefinition> gateway{};
  std::optional<pipeline::Definition> ingestion{};
  std::optional<pipeline::EventTarget> events{};
};

Result<Verdict> MayConnect(const Context& context, const catalog::Caller& caller,
                           const std::string& name) {
  FRESHET_TRY(auto connection, catalog::ParseFullName(name, 1));
  return CheckPrivilege(context, caller, "USE_CONNECTION", Kind::kConnection, connection);
}

/// Over a gateway, its own connection is what is read: who may run it may read what it captures.
Result<Verdict> CheckIngestion(const Context& context, const catalog::Caller& caller,
                               const Works& works) {
  if (works.gateway) {
    const auto& gateway = *works.gateway;
    FRESHET_TRY(auto verdict, MayConnect(context, caller, gateway.connection_name));
    if (verdict) return verdict;
    return CheckSchema(context, caller, gateway.storage.catalog, gateway.storage.schema,
                       "CREATE_VOLUME");
  }
  Verdict verdict;
  if (!works.ingestion) return verdict;
  const auto& definition = *works.ingestion;
  if (definition.gateway.empty()) {
    FRESHET_TRY(verdict, MayConnect(context, caller, definition.connection_name));
  } else {
    FRESHET_TRY(auto gateway, context.book->Get(definition.gateway));
    FRESHET_TRY(verdict, CheckPipeline(context, caller, gateway, "CAN_RUN"));
  }
  for (const auto& each : definition.destinations) {
    if (verdict) return verdict;
    FRESHET_TRY(verdict, CheckSchema(context, caller, each.catalog, each.schema, "CREATE_TABLE"));
  }
  return verdict;
}

Result<Verdict> CheckWorks(const Context& context, const catalog::Caller& caller,
                           const Works& works) {
  FRESHET_TRY(auto verdict, CheckIngestion(context, caller, works));
  if (verdict || !works.events) return verdict;
  const auto& place = works.events->place;
  return CheckSchema(context, caller, place.catalog, place.schema, "CREATE_TABLE");
}

/// Absence of a definition, and all that is wrong with one, is the handler's to tell.
Works Authored(const Json& body) {
  Works works;
  if (auto said = body.find("gateway_definition"); said != body.end() && said->is_object()) {
    auto read = pipeline::ReadGateway(JsonText(*said), "");
    if (read.ok()) works.gateway = *read;
  }
  if (auto said = body.find("ingestion_definition"); said != body.end() && said->is_object()) {
    auto read = pipeline::ReadDefinition(JsonText(*said));
    if (read.ok()) works.ingestion = *read;
  }
  if (auto read = pipeline::EventTargetOf(JsonText(body), ""); read.ok()) works.events = *read;
  return works;
}

Works Authored(const pipeline::PipelineRecord& record) {
  Works works;
  if (auto read = pipeline::GatewayOf(record); read.ok()) works.gateway = *read;
  if (auto read = pipeline::DefinitionOf(record); read.ok()) works.ingestion = *read;
  if (auto read = pipeline::EventTargetOf(record.spec, ""); read.ok()) works.events = *read;
  return works;
}

std::string RunnerOf(const pipeline::PipelineRecord& record) {
  return record.run_as.empty() ? record.creator : record.run_as;
}

/// Return whom a body names in `run_as`, by field.
std::map<std::string, std::string> SaidRunners(const Json& body) {
  std::map<std::string, std::string> runners;
  auto said = body.find("run_as");
  if (said == body.end() || !said->is_object()) return runners;
  for (const auto* field : {"user_name", "service_principal_name"}) {
    auto name = said->find(field);
    if (name != said->end() && name->is_string()) runners[field] = name->get<std::string>();
  }
  return runners;
}

/// Only administrators let a pipeline run as somebody else.
Result<Verdict> CheckSaidRunAs(const Context& context, const Request& request, const Json& body) {
  for (const auto& [field, name] : SaidRunners(body)) {
    if (catalog::Lower(name) == catalog::Lower(request.user.name)) continue;
    if (!request.user.admin) {
      return Verdict("run_as names somebody else than who asks. Only administrators can say it.");
    }
    FRESHET_TRY(auto principal, context.principals->Find(name));
    if (!principal || principal->kind == catalog::PrincipalKind::kGroup)
      return Error(ErrorClass::INVALID_ARGUMENT, "run_as.{} is nobody that there is: '{}'", field,
                   name);
  }
  return Verdict();
}

/// Return who the pipeline runs as once the request is done.
Result<std::string> RunnerAfter(const Context& context, const Request& request, const Json& body) {
  if (auto said = SaidRunners(body); !said.empty()) return said.begin()->second;
  auto edited = request.parts.find("id");
  if (edited == request.parts.end()) return request.user.name;
  FRESHET_TRY(auto former, context.book->Get(edited->second));
  return RunnerOf(former);
}

/// Whether who it runs as has the rights that the definition takes.
Result<Verdict> CheckRunner(const Context& context, const std::string& name, const Works& works) {
  FRESHET_TRY(auto principal, context.principals->Find(name));
  std::optional<catalog::Caller> runner;
  if (principal) {
    FRESHET_TRY(runner, context.principals->CallerOf(principal->id));
  }
  if (!runner) {
    return Verdict(
        fmt::format("The pipeline runs as '{}', who is not active any more. Who has "
                    "CAN_MANAGE on it can edit it, an administrator with another "
                    "run_as.",
                    name));
  }
  FRESHET_TRY(auto verdict, CheckWorks(context, *runner, works));
  if (!verdict) return verdict;
  return Verdict(fmt::format("The pipeline runs as '{}': {}", name, *verdict));
}

/// Pipelines that were made before there were permissions have none: their creator owns them.
Result<std::vector<std::string>> LevelsHeld(const Context& context, const catalog::Caller& caller,
                                            const pipeline::PipelineRecord& pipeline) {
  auto object = PermissionObjectOf(pipeline);
  FRESHET_TRY(auto held, context.permissions->Held({object}, caller.names));
  if (catalog::Lower(pipeline.creator) != catalog::Lower(caller.name)) return held;
  FRESHET_TRY(auto all, context.permissions->Get(object));
  auto owns = [](const catalog::Permission& each) { return each.level == "IS_OWNER"; };
  if (std::ranges::none_of(all, owns)) held.push_back("IS_OWNER");
  return held;
}

}  // namespace

std::string PermissionObjectOf(const pipeline::PipelineRecord& pipeline) {
  return "pipelines/" + pipeline.id;
}

Result<Verdict> CheckPipeline(const Context& context, const catalog::Caller& caller,
                              const pipeline::PipelineRecord& pipeline, std::string_view level) {
  FRESHET_TRY(auto held, LevelsHeld(context, caller, pipeline));
  if (caller.admin || Holds(kPipelineLevels, held, level)) return Verdict();
  return Verdict(fmt::format(
      "User does not have {} on pipeline '{}' ({}). Its owner, anyone with CAN_MANAGE on "
      "it, or an administrator can grant it.",
      level, pipeline.name, pipeline.id));
}

Result<Verdict> MayAuthor(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  FRESHET_TRY(auto said, CheckSaidRunAs(context, request, body));
  if (said) return said;
  auto works = Authored(body);
  FRESHET_TRY(auto verdict, CheckWorks(context, request.user, works));
  if (verdict) return verdict;
  FRESHET_TRY(auto runner, RunnerAfter(context, request, body));
  if (catalog::Lower(runner) == catalog::Lower(request.user.name)) return Verdict();
  return CheckRunner(context, runner, works);
}

Result<Verdict> MayStart(const Context& context, const Request& request) {
  FRESHET_TRY(auto record, context.book->Get(request.part("id")));
  auto verdict = CheckRunner(context, RunnerOf(record), Authored(record));
  // A connection or catalog that is gone is the update's to tell.
  if (verdict.status().Is(ErrorClass::NOT_FOUND)) return Verdict();
  return verdict;
}

}  // namespace freshet::api
