// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>

#include "pipeline/backoff.h"
#include "pipeline/destination.h"
#include "pipeline/event_line.h"
#include "pipeline/flow_book.h"
#include "pipeline/ingest_run.h"
#include "pipeline/profile.h"
#include "pipeline/refresh.h"
#include "pipeline/supervisor.h"
#include "pipeline/worker_channel.h"
#include "staging/reader.h"
#include "staging/writer.h"
#include "store/file_store.h"

namespace freshet::pipeline {
namespace {

/// A former run's workers, killed with it, are gone well within this.
constexpr std::chrono::seconds kLockWait{10};
/// Runs whose logs are kept.
constexpr size_t kLogsKept = 20;
constexpr size_t kWorkersMax = 3;

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

/// What was found at both ends before any worker starts.
struct Prepared {
  WorkerStart start;
  std::vector<std::pair<record::TableName, Status>> left_out;
  std::vector<RefreshAsked> refreshed;
  std::vector<std::string> warnings;
};

/// The slot's position is in the staging it was made for: another staging's must not be read on
/// with.
Status CheckStaging(const Destination& destination, const SourceRecord& record) {
  FRESHET_TRY(auto store, store::OpenLocalStore(destination.staging()));
  auto reader = staging::StagingReader::Open(store);
  if (!reader.ok() && !reader.status().Is(ErrorClass::NOT_FOUND)) return reader.status();
  if (reader.ok() && (*reader)->staging_id() == record.staging_id) return Status::Ok();
  return Error(ErrorClass::POSITION_LOST,
               "the staging that this destination was filled from is gone: {}", record.staging_id)
      .WithRemedy(
          "Restore DIR/_freshet/staging, or ingest into an empty directory; 'freshet drop' removes "
          "the slot.");
}

/// Fill in slot and publication: as remembered, as given, or as named from the staging.
Status TakeRecord(const Destination& destination, const std::optional<SourceRecord>& record,
                  Clock* clock, SourceSettings* source, SourceRecord* next) {
  if (record) {
    if ((source->slot_given && source->slot != record->slot) ||
        (source->publication_given && source->publication != record->publication)) {
      return Error(ErrorClass::INVALID_ARGUMENT, "this destination uses slot {} and publication {}",
                   record->slot, record->publication)
          .WithRemedy("Leave --slot and --publication out, or ingest into another directory.");
    }
    if (!source->type_mapping.empty() && source->type_mapping != record->type_mapping) {
      return Error(ErrorClass::INVALID_ARGUMENT,
                   "this destination's tables were made with the type mapping {}, not {}",
                   record->type_mapping, source->type_mapping)
          .WithRemedy("Leave the type mapping out, or ingest into another directory.");
    }
    FRESHET_CHECK_OK(CheckStaging(destination, *record));
    *next = *record;
  } else {
    FRESHET_TRY(auto store, store::OpenLocalStore(destination.staging()));
    FRESHET_TRY(auto writer, staging::StagingWriter::Open(store, clock));
    next->staging_id = writer->staging_id();
    auto ours = SlotNameFor(destination.root(), next->staging_id);
    next->type_mapping = source->type_mapping.empty() ? "lossless" : source->type_mapping;
    next->slot_given = source->slot_given;
    next->publication_given = source->publication_given;
    next->slot = source->slot_given ? source->slot : ours;
    next->publication = source->publication_given ? source->publication : ours;
  }
  source->type_mapping = next->type_mapping;
  source->slot = next->slot;
  source->publication = next->publication;
  source->slot_given = next->slot_given;
  source->publication_given = next->publication_given;
  return Status::Ok();
}

/// The profile of the tables: as given, as remembered, or the default.
Status TakeProfile(const std::optional<SourceRecord>& record, std::string* profile,
                   SourceRecord* next) {
  const std::string before(record ? std::string_view(record->profile) : kPortable);
  if (profile->empty()) *profile = before;
  if (record) FRESHET_CHECK_OK(CheckProfileChange(before, *profile));
  next->profile = *profile;
  return Status::Ok();
}

Status CheckIdentity(const sources::Traits& traits, const std::optional<SourceRecord>& record) {
  if (!record || (record->identity == traits.identity && record->connector == traits.name))
    return Status::Ok();
  return Error(ErrorClass::DESTINATION_FOREIGN,
               "the destination was filled from another source; its identity is {}, not {}",
               record->identity, traits.identity);
}

/// Two tables that would share a folder, told before either is written.
Status CheckFolders(const PipelineSpec& spec, const std::vector<record::TableName>& names) {
  std::map<std::string, record::TableName> taken;
  for (const auto& name : names) {
    auto folder = FolderOf(spec.DestinationOf(name));
    auto [other, fresh] = taken.emplace(folder, name);
    if (fresh) continue;
    return Error(ErrorClass::INVALID_ARGUMENT, "{} and {} would both land in {}",
                 other->second.ToString(), name.ToString(), folder)
        .WithRemedy("Give one of them another destination_table in the specification.");
  }
  return Status::Ok();
}

Status CheckCatalogs(const IngestOptions& options) {
  auto catalogs = options.spec.catalogs;
  for (const auto& object : options.spec.objects) catalogs.push_back(object.source_catalog);
  for (const auto& catalog : catalogs) {
    if (catalog.empty() || options.database.empty() || catalog == options.database) continue;
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "source_catalog {} is not the database that was given: {}", catalog,
                 options.database);
  }
  return Status::Ok();
}

Status TakeTables(const IngestOptions& options, sources::Source& source, Prepared* prepared) {
  FRESHET_TRY(auto listings, source.ListTables());
  std::vector<record::TableName> all, selected;
  bool passed_over = false;
  for (const auto& listing : listings) {
    all.push_back(listing.name);
    if (!options.spec.Selects(listing.name)) continue;
    if (listing.derived && !options.spec.Names(listing.name)) {
      passed_over = true;
      continue;
    }
    if (listing.problem.ok()) {
      selected.push_back(listing.name);
    } else {
      prepared->left_out.emplace_back(listing.name, listing.problem);
    }
  }
  auto unmatched = options.spec.Unmatched(all);
  if (!unmatched.empty()) {
    return Error(ErrorClass::NO_TABLE_MATCHES, "no table at the source matches {}",
                 fmt::join(unmatched, ", "));
  }
  auto not_refreshed = UnmatchedPatterns(options.refresh, selected);
  if (!not_refreshed.empty()) {
    return Error(ErrorClass::NO_TABLE_MATCHES, "no table that is ingested matches --refresh {}",
                 fmt::join(not_refreshed, ", "));
  }
  if (selected.empty() && prepared->left_out.empty() && !options.continuous) {
    Status none = Error(ErrorClass::NO_TABLE_MATCHES, "there is no table to ingest at the source");
    if (!passed_over) return none;
    return std::move(none).WithRemedy(
        "Views and foreign tables are taken when they are named in full: --tables schema.view");
  }
  for (const auto& listing : listings) {
    bool checked = listing.problem.ok() && options.spec.Selects(listing.name) &&
                   RuleOf(options.spec.table_rules, listing.name).selects_columns();
    if (!checked) continue;
    auto shape = source.Describe(listing.id).status();
    if (shape.Is(ErrorClass::KEY_NOT_SELECTED)) return shape;
  }
  return CheckFolders(options.spec, selected);
}

Status CheckSource(sources::Source& source, Prepared* prepared) {
  Status first;
  for (auto& finding : source.Check()) {
    if (finding.table) continue;  // a table's own problem comes with its listing
    if (finding.fatal && first.ok()) {
      first = finding.problem;
    } else {
      prepared->warnings.push_back(finding.problem.ToString());
    }
  }
  return first;
}

Result<Prepared> Prepare(const IngestOptions& options, const Destination& destination,
                         Clock* clock) {
  Prepared prepared;
  prepared.start = {.destination = destination.root(),
                    .source = options.source,
                    .continuous = options.continuous,
                    .spec = options.spec};
  FRESHET_CHECK_OK(CheckCatalogs(options));
  FRESHET_TRY(auto record, destination.ReadSource());
  SourceRecord next;
  FRESHET_CHECK_OK(TakeRecord(destination, record, clock, &prepared.start.source, &next));
  FRESHET_CHECK_OK(TakeProfile(record, &prepared.start.spec.profile, &next));
  // The oldest readers know no other times.
  if (next.profile == kClassic)
    prepared.start.source.parameters.emplace_back("freshet_timestamps", "utc");
  FRESHET_TRY(auto source, options.open_source(prepared.start.source));
  auto traits = source->traits();
  FRESHET_CHECK_OK(CheckIdentity(traits, record));
  FRESHET_CHECK_OK(CheckSource(*source, &prepared));
  FRESHET_CHECK_OK(TakeTables(options, *source, &prepared));
  next.connector = traits.name;
  next.identity = traits.identity;
  next.parameters = options.source.parameters;
  // Before slot and publication are made, so that `drop` finds them whatever happens next.
  FRESHET_CHECK_OK(destination.WriteSource(next));
  FRESHET_TRY(auto root, store::OpenLocalStore(destination.root()));
  FRESHET_TRY(auto book, FlowBook::Open(root));
  FRESHET_TRY(prepared.refreshed, AskForRefresh(root, book, options.refresh));
  return prepared;
}

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
    bool again = status.Is(ErrorClass::SOURCE_UNREACHABLE) || status.Is(ErrorClass::SOURCE_BLOCKED);
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

/// A log's name begins with the time of its run, without what file names don't like.
std::string LogPrefix(UtcMicros at) {
  auto text = Timestamp(at);
  std::erase_if(text, [](char c) { return c == ':' || c == '-'; });
  return text;
}

Status RunWorkers(const IngestOptions& options, const Destination& destination,
                  const DestinationLock& lock, const Signals& signals, Clock* clock,
                  IngestRun* run) {
  ForgetOldLogs(destination.log());
  Supervisor supervisor(clock, run,
                        {.program = options.worker_program,
                         .log_folder = destination.log(),
                         .log_prefix = LogPrefix(clock->WallNow()),
                         .lock = lock.descriptor(),
                         .signals = signals.descriptor(),
                         .retry_for = options.retry_for,
                         .continuous = options.continuous});
  run->SetSupervisor(&supervisor);
  return supervisor.Run({kGatewayRole, kUpdateRole});
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
    run.Tell(WithStatus({"table_left_out", {{"table", name.ToString()}}}, why));
  }
  for (const auto& each : prepared->refreshed) {
    run.Tell({"refresh_asked",
              {{"table", each.table.ToString()},
               {"flow", each.flow.value()},
               {"generation", each.generation.value()},
               {"why", each.anew ? "--refresh" : "under way already"}}});
  }
  auto status = RunWorkers(options, *destination, *lock, signals, clock, &run);
  run.SaveStatus(false, status);
  return Show(display, run.progress(), seconds(), status);
}

}  // namespace freshet::pipeline
