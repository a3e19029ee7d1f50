// SPDX-License-Identifier: Apache-2.0
#include "pipeline/update_run.h"

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "pipeline/destination.h"
#include "pipeline/event_line.h"
#include "pipeline/event_publisher.h"
#include "pipeline/findings.h"
#include "pipeline/gateway_place.h"
#include "pipeline/gateway_run.h"
#include "pipeline/owned_table.h"
#include "pipeline/run_logs.h"
#include "pipeline/run_options.h"
#include "store/local_file.h"

namespace freshet::pipeline {
namespace {

/// A process that dies so often without a word will do so again.
constexpr int kAttemptsMax = 5;
constexpr std::chrono::seconds kAttemptWait{2};
/// After one that committed something, or lived so long, they are counted anew.
constexpr std::chrono::minutes kGoodRun{10};
/// Between two tries to tell what became of an update.
constexpr std::chrono::seconds kTellWait{1};
/// Between two looks at a gateway.
constexpr std::chrono::milliseconds kGatewayWait{100};
constexpr std::chrono::seconds kGatewayInterval{1};

/// Source: the published cause of an update that nobody asked for.
constexpr char kRenewalCause[] = "INFRASTRUCTURE_MAINTENANCE";

}  // namespace

Status UpdateRun::Enter(EventLog* log, UpdateState state, const Status& why) {
  FRESHET_TRY(auto entered, parts_.book->Enter(update_, state, log->Progress(state, why)));
  if (entered) spdlog::info("update={} state={}", update_.id, NameOf(state));
  return Status::Ok();
}

std::optional<UpdateRecord> UpdateRun::Run(const Stops& stops) {
  stops_ = stops;
  PipelineRecord pipeline;
  auto found = Insist([&]() -> Status {
    FRESHET_TRY(pipeline, parts_.book->Get(update_.pipeline));
    return Status::Ok();
  });
  // It was deleted meanwhile, its updates with it; or the server ends
  if (!found.ok()) return std::nullopt;
  EventLog log(parts_.book, pipeline, update_.id);
  auto status = Work(&log, pipeline);
  const bool stopped = stops_.stop.stop_requested();
  if (stops_.ending.stop_requested() && !stopped) return std::nullopt;
  const bool renewed = stops_.renewal.stop_requested() && !stopped;
  auto state = UpdateState::kCompleted;
  if (stopped || renewed) {
    state = UpdateState::kCanceled;
    status = Status::Ok();
  } else if (!status.ok()) {
    state = UpdateState::kFailed;
  }
  auto told = Insist([&] { return log.Finish(state == UpdateState::kCompleted); });
  std::optional<UpdateRecord> next;
  if (told.ok() && renewed) told = Insist([&] { return Renew(log, pipeline, &next); });
  if (told.ok() && !renewed) told = Insist([&] { return Enter(&log, state, status); });
  // The server ends: the next one finds the update under way, and runs it again.
  if (!told.ok()) spdlog::error("update={} {}", update_.id, told.ToString());
  if (parts_.publisher != nullptr) parts_.publisher->Hurry(update_.pipeline);
  return next;
}

Status UpdateRun::Renew(const EventLog& log, const PipelineRecord& pipeline,
                        std::optional<UpdateRecord>* next) {
  const std::string request = "{}";
  auto tell = [&](const UpdateRecord& begun) {
    return EventLog(parts_.book, pipeline, begun.id).Begun(kRenewalCause, request);
  };
  auto event = log.Progress(UpdateState::kCanceled, Status::Ok());
  FRESHET_TRY(*next, parts_.book->Succeed(update_, std::move(event), kRenewalCause, request, tell));
  spdlog::info("update={} state={} next={}", update_.id, NameOf(UpdateState::kCanceled),
               *next ? (*next)->id : "none");
  return Status::Ok();
}

Status UpdateRun::Insist(const std::function<Status()>& work) const {
  while (true) {
    auto status = work();
    if (status.ok() || status.Is(ErrorClass::NOT_FOUND) || stops_.ending.stop_requested())
      return status;
    spdlog::error("update={} tries again: {}", update_.id, status.ToString());
    parts_.clock->WaitUntil(parts_.clock->Now() + kTellWait, stops_.ending);
  }
}

Status UpdateRun::Work(EventLog* log, const PipelineRecord& pipeline) {
  if (stopping()) return Status::Ok();
  FRESHET_TRY(auto request, ReadUpdateRequest(update_.request));
  if (IsGateway(pipeline)) return WorkAsGateway(log, pipeline, request);
  FRESHET_TRY(auto definition, DefinitionOf(pipeline));
  if (!definition.gateway.empty() && !request.validate_only)
    FRESHET_CHECK_OK(WaitForGateway(log, pipeline, definition.gateway));
  // Only now: whoever waits for a gateway keeps nobody else from running.
  if (!WaitForPlace(log) || stopping()) return Status::Ok();
  FRESHET_CHECK_OK(Enter(log, UpdateState::kInitializing, Status::Ok()));
  FRESHET_TRY(auto options,
              PlanUpdate(*parts_.catalog, parts_.data, pipeline, definition, request));
  if (request.validate_only) {
    if (!definition.gateway.empty()) {
      FRESHET_TRY(auto record, parts_.book->Get(definition.gateway));
      FRESHET_TRY(auto gateway, GatewayOf(record));
      FRESHET_TRY(options.source, ReachSource(*parts_.catalog, parts_.data, gateway.connection_name,
                                              definition.database));
      FRESHET_CHECK_OK(CompleteSource(&options));
    }
    return Check(options);
  }
  FRESHET_CHECK_OK(Enter(log, UpdateState::kSettingUpTables, Status::Ok()));
  FRESHET_CHECK_OK(RunProcesses(options, log, pipeline, definition));
  if (stopping()) return Status::Ok();
  if (failed_tables_ == 0 && !unread_.empty()) return unread_.begin()->second;
  return first_failure_;
}

Status UpdateRun::WorkAsGateway(EventLog* log, const PipelineRecord& pipeline,
                                const UpdateRequest& request) {
  if (request.validate_only) return ValidateAsGateway(log, pipeline);
  // One that captures takes no place: it stays, and others wait for it.
  auto prepare = [&]() -> Result<std::string> {
    FRESHET_CHECK_OK(Enter(log, UpdateState::kInitializing, Status::Ok()));
    FRESHET_TRY(auto gateway, BegunGateway(parts_.data, pipeline));
    FRESHET_CHECK_OK(MakeStagingVolume(*parts_.catalog, parts_.data, pipeline, gateway));
    FRESHET_CHECK_OK(LinkStaging(parts_.data, pipeline.id, pipeline.id));
    FRESHET_TRY(auto file, MakeRunLog(parts_.data, pipeline.id, update_.id));
    FRESHET_CHECK_OK(Enter(log, UpdateState::kRunning, Status::Ok()));
    return file;
  };
  GatewayRun run({.update_parts = &parts_,
                  .update = update_.id,
                  .log = log,
                  .prepare = std::move(prepare),
                  .ending = stops_.ending,
                  .stopping = [this] { return stopping(); }},
                 pipeline);
  return run.Run();
}

Status UpdateRun::ValidateAsGateway(EventLog* log, const PipelineRecord& pipeline) {
  if (!WaitForPlace(log)) return Status::Ok();
  FRESHET_CHECK_OK(Enter(log, UpdateState::kInitializing, Status::Ok()));
  FRESHET_TRY(auto gateway, BegunGateway(parts_.data, pipeline));
  FRESHET_TRY(auto followers, FollowersOf(*parts_.book, pipeline.id));
  FRESHET_TRY(auto plan, PlanCapture(gateway, std::move(followers)));
  IngestOptions options;
  options.spec = std::move(plan.spec);
  auto database = plan.database.empty() ? "postgres" : plan.database;
  FRESHET_TRY(options.source,
              ReachSource(*parts_.catalog, parts_.data, gateway.connection_name, database));
  FRESHET_CHECK_OK(CompleteSource(&options));
  return Check(options);
}

bool UpdateRun::WaitForPlace(EventLog* log) {
  return take_place_([&] {
    auto told = Enter(log, UpdateState::kWaitingForResources, Status::Ok());
    if (!told.ok()) spdlog::warn("update={} {}", update_.id, told.ToString());
  });
}

Status UpdateRun::CheckGateway(const std::string& gateway) const {
  FRESHET_TRY(auto record, parts_.book->Get(gateway));
  FRESHET_TRY(auto active, parts_.book->Active(gateway));
  if (active && !OnlyValidates(*active)) return Status::Ok();
  return Error(ErrorClass::SOURCE_UNREACHABLE, "the gateway '{}' ({}) does not run", record.name,
               gateway)
      .WithRemedy(fmt::format("Start it: POST /api/2.0/pipelines/{}/updates.", gateway));
}

Status UpdateRun::WaitForGateway(EventLog* log, const PipelineRecord& pipeline,
                                 const std::string& gateway) {
  bool told = false;
  while (!stopping()) {
    if (parts_.gateways->Serves(gateway, pipeline.id, pipeline.modified_at)) return Status::Ok();
    FRESHET_CHECK_OK(CheckGateway(gateway));
    if (!std::exchange(told, true))
      FRESHET_CHECK_OK(Enter(log, UpdateState::kWaitingForResources, Status::Ok()));
    parts_.clock->WaitUntil(parts_.clock->Now() + kGatewayWait, stops_.ending);
  }
  return Status::Ok();
}

Status UpdateRun::Check(const IngestOptions& options) const {
  FRESHET_TRY(auto source, parts_.open_source(options.source));
  for (const auto& finding : FindingsOf(*source)) {
    bool ours = !finding.table ||
                (options.spec.Names(*finding.table) && options.spec.Updates(*finding.table));
    if (finding.fatal && ours) return finding.problem;
  }
  return Status::Ok();
}

Status UpdateRun::RunProcesses(const IngestOptions& options, EventLog* log,
                               const PipelineRecord& pipeline, const Definition& definition) {
  for (int attempt = 1;; ++attempt) {
    auto began = parts_.clock->Now();
    auto end = RunOnce(options, log, pipeline, definition);
    if (progressed_ || parts_.clock->Now() - began > kGoodRun) attempt = 1;
    if (end.said || stopping() || attempt == kAttemptsMax) return end.status;
    spdlog::warn("update={} its process died: {}", update_.id, end.status.ToString());
    parts_.clock->WaitUntil(parts_.clock->Now() + kAttemptWait, stops_.ending);
  }
}

RunEnd UpdateRun::RunOnce(const IngestOptions& options, EventLog* log,
                          const PipelineRecord& pipeline, const Definition& definition) {
  // What a process failed at that died since is the next one's to tell.
  progressed_ = false;
  failed_tables_ = 0;
  first_failure_ = Status::Ok();
  unread_.clear();
  unregistered_.clear();
  refused_.clear();
  auto file = MakeRunLog(parts_.data, pipeline.id, update_.id);
  if (!file.ok()) return {file.status(), true};
  RunProcess::Parts parts{
      .clock = parts_.clock,
      .program = parts_.program,
      .log = *file,
      .stopping = [this] { return stopping(); },
      .take =
          [&](const record::Event& event) { return TakeEvent(event, log, pipeline, definition); }};
  auto now = options;
  now.update = update_.id;
  if (!definition.gateway.empty()) {
    now.left_out = parts_.gateways->LeftOut(definition.gateway);
    if (!options.continuous)
      parts.tick = [&](RunProcess&) { return LookAtGateway(definition.gateway); };
  }
  return RunProcess::Run(parts, now);
}

/// An update that is to end waits for no gateway that somebody stopped.
Status UpdateRun::LookAtGateway(const std::string& gateway) {
  if (parts_.clock->Now() < gateway_at_ || stopping()) return Status::Ok();
  gateway_at_ = parts_.clock->Now() + kGatewayInterval;
  return CheckGateway(gateway);
}

Status UpdateRun::TakeEvent(const record::Event& event, EventLog* log,
                            const PipelineRecord& pipeline, const Definition& definition) {
  progressed_ = progressed_ || event.name == "table_committed";
  // Over a gateway the tables are to be staged first.
  if (event.name == (definition.gateway.empty() ? "run_started" : "snapshots_staged"))
    FRESHET_CHECK_OK(Enter(log, UpdateState::kRunning, Status::Ok()));
  if (refused_.contains(TextOf(event, "table"))) return Status::Ok();
  if (event.name == "table_found" && Has(event, "folder"))
    unregistered_[TextOf(event, "table")] = TextOf(event, "folder");
  if (event.name == "table_failed" || event.name == "table_broken" ||
      event.name == "table_left_out" || event.name == "tables_unseen")
    CountFailure(StatusOf(event));
  // Until it is read, if this update still comes to that.
  if (event.name == "table_unread") unread_[TextOf(event, "table")] = StatusOf(event);
  if (event.name == "table_reread" || event.name == "table_readable")
    unread_.erase(TextOf(event, "table"));
  FRESHET_CHECK_OK(log->Take(event));
  if (event.name != "table_found" && event.name != "table_committed") return Status::Ok();
  return RegisterTold(event, log, pipeline, definition);
}

void UpdateRun::CountFailure(const Status& why) {
  ++failed_tables_;
  if (first_failure_.ok()) first_failure_ = why;
}

Status UpdateRun::RegisterTold(const record::Event& event, EventLog* log,
                               const PipelineRecord& pipeline, const Definition& definition) {
  auto table = unregistered_.find(TextOf(event, "table"));
  if (table == unregistered_.end()) return Status::Ok();
  auto registered = Register(table->first, table->second, pipeline, definition);
  if (registered.ok() && !*registered) return Status::Ok();  // its first commit is yet to come
  auto name = table->first;
  unregistered_.erase(table);
  if (registered.ok()) return Status::Ok();
  CountFailure(registered.status());
  refused_.insert(name);
  return log->Take(WithStatus({"table_failed", {{"table", name}}}, registered.status()));
}

Result<Lineage> UpdateRun::LineageOfSource(const std::string& table,
                                           const Definition& definition) const {
  // As names are written in events: the last dot splits.
  const auto dot = table.rfind('.');
  Lineage lineage{.connection = definition.connection_name,
                  .database = definition.database,
                  .source = {table.substr(0, dot), table.substr(dot + 1)},
                  .at = parts_.clock->WallNow() / 1000};
  if (definition.gateway.empty()) return lineage;
  FRESHET_TRY(auto record, parts_.book->Get(definition.gateway));
  FRESHET_TRY(auto gateway, GatewayOf(record));
  lineage.connection = gateway.connection_name;
  return lineage;
}

Status UpdateRun::KeepLineage(const catalog::Securable& table, const Lineage& lineage,
                              const PipelineRecord& pipeline) {
  auto known = LineageOf(table);
  if (known && known->SameAs(lineage)) return Status::Ok();
  catalog::Change change;
  change.facts = FactsOf(lineage);
  return parts_.catalog->Alter(catalog::Kind::kTable, table.path, change, pipeline.creator)
      .status();
}

Result<bool> UpdateRun::Register(const std::string& source_table, const std::string& folder,
                                 const PipelineRecord& pipeline, const Definition& definition) {
  auto path = TableAt(definition, folder);
  if (!path) return Error(ErrorClass::INTERNAL, "a table has no place in the catalog: {}", folder);
  FRESHET_TRY(auto lineage, LineageOfSource(source_table, definition));
  auto found = parts_.catalog->Get(catalog::Kind::kTable, *path);
  if (found.ok()) {
    if (IsEventLog(*found)) {
      return Error(ErrorClass::TABLE_FOREIGN, "the table {} is the event log of a pipeline: {}",
                   catalog::FullName(*path), found->fact("pipeline_id"))
          .WithRemedy("Give the table another destination, or the event log another name.");
    }
    if (found->fact("pipeline_id") == pipeline.id) {
      FRESHET_CHECK_OK(KeepLineage(*found, lineage, pipeline));
      return true;
    }
    return Error(ErrorClass::TABLE_FOREIGN, "the table {} is another pipeline's: {}",
                 catalog::FullName(*path), found->fact("pipeline_id"));
  }
  if (!found.status().Is(ErrorClass::NOT_FOUND)) return found.status();
  auto slash = folder.find('/');
  auto own = FolderOfPipeline(parts_.data, pipeline.id);
  std::error_code error;
  auto link = own + "/" + folder.substr(0, slash);
  auto target = std::filesystem::read_symlink(link, error);
  if (error) return store::FromErrno(error.value(), "cannot read the schema's link", link);
  auto location = target.string() + folder.substr(slash);
  FRESHET_TRY(auto destination, Destination::Open(own));
  FRESHET_TRY(auto source, destination.ReadSource());
  // What stands there may be anybody's; what is registered is removed with the pipeline.
  if (!source) return false;
  FRESHET_TRY(auto ours, IsTableOf(location, {source->staging_id, source->pipeline}));
  if (!ours) return false;
  catalog::Securable table{.kind = catalog::Kind::kTable, .path = *path};
  table.facts = FactsOf(lineage);
  table.facts.insert({{"table_type", "STREAMING_TABLE"},
                      {"pipeline_id", pipeline.id},
                      {"staging", source->staging_id},
                      {"pipeline_mark", source->pipeline},
                      {"storage_location", catalog::FileUri(location)}});
  FRESHET_CHECK_OK(parts_.catalog->Create(std::move(table), {}, pipeline.creator));
  return true;
}

}  // namespace freshet::pipeline
