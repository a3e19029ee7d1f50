// SPDX-License-Identifier: Apache-2.0
#include "pipeline/update_run.h"

#include <poll.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "pipeline/destination.h"
#include "pipeline/event_digest.h"
#include "pipeline/event_line.h"
#include "pipeline/findings.h"
#include "pipeline/owned_table.h"
#include "pipeline/run_options.h"
#include "pipeline/worker_process.h"
#include "store/local_file.h"

namespace freshet::pipeline {
namespace {

constexpr char kRunRole[] = "run";
constexpr int kPollMs = 100;
/// What a run has to end in once it is asked to; its own workers have a little less.
constexpr std::chrono::seconds kStopWithin{30};
/// A process that dies so often without a word will do so again.
constexpr int kAttemptsMax = 5;
constexpr std::chrono::seconds kAttemptWait{2};
/// After one that committed something, or lived so long, they are counted anew.
constexpr std::chrono::minutes kGoodRun{10};
/// Between two tries to tell what became of an update.
constexpr std::chrono::seconds kTellWait{1};

}  // namespace

Status UpdateRun::Enter(EventLog* log, UpdateState state, const Status& why) {
  FRESHET_TRY(auto entered, parts_.book->Enter(update_, state, log->Progress(state, why)));
  if (entered) spdlog::info("update={} state={}", update_.id, NameOf(state));
  return Status::Ok();
}

void UpdateRun::Run(const std::stop_token& stop, const std::stop_token& ending) {
  stop_ = stop;
  ending_ = ending;
  PipelineRecord pipeline;
  auto found = Insist([&]() -> Status {
    FRESHET_TRY(pipeline, parts_.book->Get(update_.pipeline));
    return Status::Ok();
  });
  if (!found.ok()) return;  // it was deleted meanwhile, its updates with it; or the server ends
  EventLog log(parts_.book, pipeline, update_.id);
  auto status = Work(&log, pipeline);
  if (ending.stop_requested() && !stop.stop_requested()) return;
  auto state = UpdateState::kCompleted;
  if (stop.stop_requested()) {
    state = UpdateState::kCanceled;
    status = Status::Ok();
  } else if (!status.ok()) {
    state = UpdateState::kFailed;
  }
  auto told = Insist([&] { return log.Finish(state == UpdateState::kCompleted); });
  if (told.ok()) told = Insist([&] { return Enter(&log, state, status); });
  // The server ends: the next one finds the update under way, and runs it again.
  if (!told.ok()) spdlog::error("update={} {}", update_.id, told.ToString());
}

Status UpdateRun::Insist(const std::function<Status()>& work) const {
  while (true) {
    auto status = work();
    if (status.ok() || status.Is(ErrorClass::NOT_FOUND) || ending_.stop_requested()) return status;
    spdlog::error("update={} tries again: {}", update_.id, status.ToString());
    parts_.clock->WaitUntil(parts_.clock->Now() + kTellWait, ending_);
  }
}

Status UpdateRun::Work(EventLog* log, const PipelineRecord& pipeline) {
  if (stopping()) return Status::Ok();
  FRESHET_CHECK_OK(Enter(log, UpdateState::kInitializing, Status::Ok()));
  FRESHET_TRY(auto request, ReadUpdateRequest(update_.request));
  FRESHET_TRY(auto definition, DefinitionOf(pipeline));
  FRESHET_TRY(auto options,
              PlanUpdate(*parts_.catalog, parts_.data, pipeline, definition, request));
  if (request.validate_only) return Check(options);
  FRESHET_CHECK_OK(Enter(log, UpdateState::kSettingUpTables, Status::Ok()));
  FRESHET_CHECK_OK(RunProcesses(options, log, pipeline, definition));
  if (failed_tables_ == 0 || stopping()) return Status::Ok();
  return first_failure_;
}

Status UpdateRun::Check(const IngestOptions& options) const {
  FRESHET_TRY(auto source, parts_.open_source(options.source));
  for (const auto& finding : FindingsOf(*source)) {
    bool ours = !finding.table || options.spec.Names(*finding.table);
    if (finding.fatal && ours) return finding.problem;
  }
  return Status::Ok();
}

Status UpdateRun::RunProcesses(const IngestOptions& options, EventLog* log,
                               const PipelineRecord& pipeline, const Definition& definition) {
  for (int attempt = 1;; ++attempt) {
    bool said = false;
    auto began = parts_.clock->Now();
    auto status = RunProcess(options, log, pipeline, definition, &said);
    if (progressed_ || parts_.clock->Now() - began > kGoodRun) attempt = 1;
    if (said || stopping() || attempt == kAttemptsMax) return status;
    spdlog::warn("update={} its process died: {}", update_.id, status.ToString());
    parts_.clock->WaitUntil(parts_.clock->Now() + kAttemptWait, ending_);
  }
}

Status UpdateRun::RunProcess(const IngestOptions& options, EventLog* log,
                             const PipelineRecord& pipeline, const Definition& definition,
                             bool* said) {
  // What a process failed at that died since is the next one's to tell.
  progressed_ = false;
  failed_tables_ = 0;
  first_failure_ = Status::Ok();
  unregistered_.clear();
  refused_.clear();
  FRESHET_CHECK_OK(store::MakeFolders(options.directory + "/log"));
  auto arguments = parts_.program;
  arguments.emplace_back(kRunRole);
  FRESHET_TRY(
      auto process,
      WorkerProcess::Run({.arguments = std::move(arguments),
                          .log = fmt::format("{}/log/{}.log", options.directory, update_.id)}));
  process->Send(ToLine(options));
  Status ended = Error(ErrorClass::INTERNAL, "the update's process ended without a word");
  EventDigest digest;
  auto tell = [&](const std::vector<record::Event>& events) -> Status {
    for (const auto& event : events) FRESHET_CHECK_OK(TakeEvent(event, log, pipeline, definition));
    return Status::Ok();
  };
  std::optional<MonotonicTime> kill_at;
  for (bool open = true; open;) {
    pollfd output{process->output(), POLLIN, 0};
    poll(&output, 1, kPollMs);
    std::vector<std::string> lines;
    open = process->Read(&lines);
    for (const auto& line : lines) {
      auto event = EventFromLine(line);
      if (!event.ok()) continue;
      if (event->name == "run_finished") {
        ended = StatusOf(*event);
        // Stopped by somebody else's signal it goes on, as after a crash.
        *said = !ended.Is(ErrorClass::CANCELLED);
      }
      auto taken = tell(digest.Take(*event, parts_.clock->Now()));
      *said = *said || !taken.ok();
      if (!taken.ok()) return taken;
    }
    if (auto told = tell(digest.Due(parts_.clock->Now())); !told.ok()) return told;
    if (stopping() && !kill_at) {
      kill_at = parts_.clock->Now() + kStopWithin;
      process->CloseInput();
    }
    if (kill_at && parts_.clock->Now() >= *kill_at) process->Kill();
  }
  process->Wait();
  if (auto told = tell(digest.Rest()); !told.ok()) return told;
  return ended;
}

Status UpdateRun::TakeEvent(const record::Event& event, EventLog* log,
                            const PipelineRecord& pipeline, const Definition& definition) {
  progressed_ = progressed_ || event.name == "table_committed";
  if (event.name == "run_started")
    FRESHET_CHECK_OK(Enter(log, UpdateState::kRunning, Status::Ok()));
  if (refused_.contains(TextOf(event, "table"))) return Status::Ok();
  if (event.name == "table_found" && Has(event, "folder"))
    unregistered_[TextOf(event, "table")] = TextOf(event, "folder");
  if (event.name == "table_failed" || event.name == "table_broken" ||
      event.name == "table_left_out")
    CountFailure(StatusOf(event));
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
  auto registered = Register(table->second, pipeline, definition);
  if (registered.ok() && !*registered) return Status::Ok();  // its first commit is yet to come
  auto name = table->first;
  unregistered_.erase(table);
  if (registered.ok()) return Status::Ok();
  CountFailure(registered.status());
  refused_.insert(name);
  return log->Take(WithStatus({"table_failed", {{"table", name}}}, registered.status()));
}

Result<bool> UpdateRun::Register(const std::string& folder, const PipelineRecord& pipeline,
                                 const Definition& definition) {
  auto path = TableAt(definition, folder);
  if (!path) return Error(ErrorClass::INTERNAL, "a table has no place in the catalog: {}", folder);
  auto found = parts_.catalog->Get(catalog::Kind::kTable, *path);
  if (found.ok()) {
    if (found->fact("pipeline_id") == pipeline.id) return true;
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
  FRESHET_TRY(auto ours, IsTableOf(location, source->staging_id));
  if (!ours) return false;
  catalog::Securable table{.kind = catalog::Kind::kTable, .path = *path};
  table.facts = {{"table_type", "STREAMING_TABLE"},
                 {"pipeline_id", pipeline.id},
                 {"staging", source->staging_id},
                 {"storage_location", "file://" + location}};
  FRESHET_CHECK_OK(parts_.catalog->Create(std::move(table), {}, pipeline.creator));
  return true;
}

}  // namespace freshet::pipeline
