// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "pipeline/backoff.h"
#include "pipeline/destination.h"
#include "pipeline/event_line.h"
#include "pipeline/ingest_run.h"
#include "pipeline/prepare.h"
#include "pipeline/profile.h"
#include "pipeline/supervisor.h"

namespace freshet::pipeline {
namespace {

/// A former run's workers, killed with it, are gone well within this.
constexpr std::chrono::seconds kLockWait{10};
/// Runs whose logs are kept.
constexpr size_t kLogsKept = 20;
constexpr size_t kWorkersMax = 3;
/// How often a run does its work, for tables that have to be read anew as it ends. One whose rows
/// can never be read in peace is told as failed then.
constexpr int kLapsMax = 4;

/// SIGINT, SIGTERM and, unless it is ignored (nohup), SIGHUP as something to poll, for as long as
/// it lives.
class Signals {
 public:
  Signals() {
    sigemptyset(&taken_);
    sigaddset(&taken_, SIGINT);
    sigaddset(&taken_, SIGTERM);
    struct sigaction hangup {};
    bool ignored = sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
    if (!ignored) sigaddset(&taken_, SIGHUP);
    sigprocmask(SIG_BLOCK, &taken_, &before_);
    descriptor_ = signalfd(-1, &taken_, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~Signals() {
    if (descriptor_ >= 0) close(descriptor_);
    sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  sigset_t taken_{}, before_{};
  int descriptor_ = -1;
};

/// Prepare again and again while the source cannot be reached: where it was reached before, or a
/// service waits for it. Elsewhere an address that is wrong is told at once.
Result<Prepared> PrepareWithRetries(const IngestOptions& options, const Destination& destination,
                                    Clock* clock, Display* display) {
  Backoff backoff(options.retry_for);
  bool reached = false;
  auto watched = options;
  watched.open_source = [&](const SourceSettings& settings) {
    auto source = options.open_source(settings);
    reached = reached || source.ok();
    return source;
  };
  while (true) {
    auto prepared = Prepare(watched, destination, clock);
    auto status = prepared.status();
    bool again = status.Is(ErrorClass::SOURCE_UNREACHABLE) ||
                 status.Is(ErrorClass::SOURCE_INTERRUPTED) || status.Is(ErrorClass::SOURCE_BLOCKED);
    if (!again) return prepared;
    auto record = destination.ReadSource();
    bool known = reached || options.continuous || (record.ok() && record->has_value());
    auto wait = known ? backoff.OnFailure(clock->Now(), 0) : std::nullopt;
    if (!wait) return prepared;
    display->OnEvent(
        WithStatus({"source_retried", {{"wait_ms", wait->count()}}}, prepared.status()),
        RunProgress());
    clock->WaitUntil(clock->Now() + *wait, {});
  }
}

/// Keep the newest logs; their names begin with the time.
void ForgetOldLogs(const std::string& folder) {
  std::vector<std::filesystem::path> logs;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder, error))
    logs.push_back(file.path());
  std::ranges::sort(logs);
  for (size_t i = 0; i + kWorkersMax * kLogsKept < logs.size(); ++i)
    std::filesystem::remove(logs[i], error);
}

/// A log's name begins with the time of its run, without what file names don't like; then comes the
/// update that the run is of.
std::string LogPrefix(UtcMicros at, const std::string& update) {
  auto text = Timestamp(at);
  std::erase_if(text, [](char c) { return c == ':' || c == '-'; });
  return update.empty() ? text : text + "-" + update;
}

Status RunWorkers(const IngestOptions& options, const Destination& destination,
                  const DestinationLock& lock, const Signals& signals, Clock* clock,
                  IngestRun* run) {
  ForgetOldLogs(destination.log());
  Supervisor supervisor(clock, run,
                        {.program = options.worker_program,
                         .log_folder = destination.log(),
                         .log_prefix = LogPrefix(clock->WallNow(), options.update),
                         .lock = lock.descriptor(),
                         .signals = signals.descriptor(),
                         .retry_for = options.retry_for,
                         .continuous = options.continuous});
  run->SetSupervisor(&supervisor);
  std::vector<std::string> roles;
  if (options.halves != Halves::kApply) roles.emplace_back(kGatewayRole);
  if (options.halves != Halves::kCapture) roles.emplace_back(kUpdateRole);
  return supervisor.Run(roles);
}

/// What a gateway that captures for others is to be started with by now, if that is something else.
/// Slot, publication and types stay what its staging was begun with.
std::optional<WorkerStart> NewsOf(const IngestOptions& options, const WorkerStart& start) {
  auto news = options.news();
  if (!news) return std::nullopt;
  auto next = start;
  next.spec = std::move(news->spec);
  next.spec.profile = start.spec.profile;
  next.source.parameters = std::move(news->source.parameters);
  if (next.spec.profile == kClassic)
    next.source.parameters.emplace_back("freshet_timestamps", "utc");
  next.source.password = std::move(news->source.password);
  next.pipelines = std::move(news->pipelines);
  next.revision = news->revision;
  return next;
}

/// What is ingested by name and is not there fails like a table of its own.
void TellNotStaged(const IngestOptions& options, const Destination& destination, IngestRun* run) {
  auto missing = NotStaged(options, destination);
  if (!missing.ok()) {
    spdlog::warn("{}", missing.status().ToString());
    return;
  }
  for (const auto& name : *missing) {
    run->Tell(WithStatus({"table_failed", {{"table", name}}}, NoSuchTable(name)));
  }
}

ExitCode Show(Display* display, const RunProgress& progress, double seconds, const Status& status) {
  RunSummary summary{.totals = progress.Sum(), .seconds = seconds, .status = status};
  display->OnEnd(summary, progress);
  if (!status.ok()) return ExitCodeOf(status);
  if (summary.totals.failed + summary.totals.left_out == 0) return ExitCode::kOk;
  // Nothing is current, and not for the tables' sake: say whose fault it is.
  auto fault = ExitCodeOf(progress.FirstFailure());
  bool shared = fault == ExitCode::kDestination && summary.totals.current == 0;
  return shared ? fault : ExitCode::kTables;
}

}  // namespace

ExitCode Ingest(const IngestOptions& options, Clock* clock, Display* display) {
  auto began = clock->Now();
  auto seconds = [&] { return std::chrono::duration<double>(clock->Now() - began).count(); };
  auto refuse = [&](const Status& why) { return Show(display, RunProgress(), seconds(), why); };
  auto destination = Destination::Make(options.directory);
  if (!destination.ok()) return refuse(destination.status());
  auto lock = destination->Lock(*clock, clock->Now() + kLockWait);
  if (!lock.ok()) return refuse(lock.status());
  auto prepared = PrepareWithRetries(options, *destination, clock, display);
  if (!prepared.ok()) {
    destination->Unmake();
    return refuse(prepared.status());
  }
  Signals signals;
  IngestRun run(clock, display, &*destination, prepared->start);
  run.Tell(
      {"run_started", {{"destination", destination->root()}, {"continuous", options.continuous}}});
  for (const auto& warning : prepared->warnings) run.Tell({"warning", {{"reason", warning}}});
  for (const auto& [name, why] : prepared->left_out) {
    run.Tell(WithStatus({"table_left_out", {{"table", name}}}, why));
  }
  for (const auto& each : prepared->refreshed) {
    run.Tell({"refresh_asked",
              {{"table", each.table.ToString()},
               {"flow", each.flow.value()},
               {"generation", each.generation.value()},
               {"why", each.anew ? "--refresh" : "under way already"}}});
  }
  if (options.news) run.SetNews([&](const WorkerStart& start) { return NewsOf(options, start); });
  if (options.halves == Halves::kApply)
    run.SetOnStaged([&] { TellNotStaged(options, *destination, &run); });
  auto status = RunWorkers(options, *destination, *lock, signals, clock, &run);
  const bool reads = !options.continuous && options.halves == Halves::kBoth;
  for (int lap = 1; reads && lap < kLapsMax && status.ok() && run.BeginAgain(); ++lap)
    status = RunWorkers(options, *destination, *lock, signals, clock, &run);
  run.SaveStatus(false, status);
  return Show(display, run.progress(), seconds(), status);
}

}  // namespace freshet::pipeline
