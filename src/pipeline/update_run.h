// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "catalog/catalog.h"
#include "pipeline/event_log.h"
#include "pipeline/gateway_desk.h"
#include "pipeline/lineage.h"
#include "pipeline/pipeline_book.h"
#include "pipeline/run_process.h"
#include "pipeline/source_settings.h"
#include "pipeline/update_plan.h"

namespace freshet::pipeline {

class EventPublisher;

/// What updates are run with; what it points at outlives them.
struct UpdateParts {
  PipelineBook* book = nullptr;
  catalog::Catalog* catalog = nullptr;
  Clock* clock = nullptr;
  OpenSource open_source;
  std::string data;                  // the server's directory
  std::vector<std::string> program;  // a worker's command line; its role is appended
  std::shared_ptr<GatewayDesk> gateways = std::make_shared<GatewayDesk>();
  EventPublisher* publisher = nullptr;  // null: events are published by nobody
};

/// One update, from its first state to its last: plans it, runs it in a process of its own, writes
/// what it says into the event log, registers the tables it makes. One thread.
///
///   QUEUED → WAITING_FOR_RESOURCES → INITIALIZING → SETTING_UP_TABLES → RUNNING → COMPLETED,
///     FAILED
///   over a gateway it waits for that one first, for a place among those that run then, and is
///     RUNNING once its tables' snapshots are staged; what a gateway's own update does,
///     gateway_run.h says
///   any, when it is asked to stop → STOPPING → CANCELED
///   any, when it is to be begun anew → CANCELED, and its pipeline's next one is begun with that
///
/// A process that dies is started again, and so is everything by the next server: each goes on from
/// what is durable.
class UpdateRun {
 public:
  /// Waits for one of the few places of updates that run, and calls the function before it has to;
  /// false: the update is to end, and none was free before that.
  using TakePlace = std::function<bool(const std::function<void()>& on_wait)>;
  UpdateRun(const UpdateParts& parts, UpdateRecord update, TakePlace take_place)
      : parts_(parts), update_(std::move(update)), take_place_(std::move(take_place)) {}

  struct Stops {
    std::stop_token stop;     // somebody asked to stop it
    std::stop_token renewal;  // it is to be begun anew
    std::stop_token ending;   // the server ends
  };
  /// Return at the update's end, with the one that was begun in its stead, or when the server ends:
  /// then the update stays under way.
  std::optional<UpdateRecord> Run(const Stops& stops);

 private:
  Status Work(EventLog* log, const PipelineRecord& pipeline);
  Status WorkAsGateway(EventLog* log, const PipelineRecord& pipeline, const UpdateRequest& request);
  Status ValidateAsGateway(EventLog* log, const PipelineRecord& pipeline);
  /// Say that it waits for a place, if it has to; false: it is to stop.
  bool WaitForPlace(EventLog* log);
  /// Return once the gateway captures for the pipeline as it is now, or it is to stop.
  Status WaitForGateway(EventLog* log, const PipelineRecord& pipeline, const std::string& gateway);
  /// Errors: SOURCE_UNREACHABLE (nobody has started it), NOT_FOUND.
  Status CheckGateway(const std::string& gateway) const;
  Status Check(const IngestOptions& options) const;
  Status RunProcesses(const IngestOptions& options, EventLog* log, const PipelineRecord& pipeline,
                      const Definition& definition);
  RunEnd RunOnce(const IngestOptions& options, EventLog* log, const PipelineRecord& pipeline,
                 const Definition& definition);
  Status LookAtGateway(const std::string& gateway);
  Status TakeEvent(const record::Event& event, EventLog* log, const PipelineRecord& pipeline,
                   const Definition& definition);
  /// Register the table, once it says of itself that it is this pipeline's, and where it comes
  /// from; false: not yet.
  Result<bool> Register(const std::string& table, const std::string& folder,
                        const PipelineRecord& pipeline, const Definition& definition);
  Result<Lineage> LineageOfSource(const std::string& table, const Definition& definition) const;
  Status KeepLineage(const catalog::Securable& table, const Lineage& lineage,
                     const PipelineRecord& pipeline);
  /// The same of a table that an event is about, where it is still to be done. What keeps it from
  /// being registered is the table's own failure.
  Status RegisterTold(const record::Event& event, EventLog* log, const PipelineRecord& pipeline,
                      const Definition& definition);
  void CountFailure(const Status& why);
  Status Renew(const EventLog& log, const PipelineRecord& pipeline,
               std::optional<UpdateRecord>* next);
  Status Enter(EventLog* log, UpdateState state, const Status& why);
  /// Try again until it succeeds or the server ends: what cannot be told would leave the update
  /// under way and in no thread.
  Status Insist(const std::function<Status()>& work) const;
  bool stopping() const {
    return stops_.stop.stop_requested() || stops_.renewal.stop_requested() ||
           stops_.ending.stop_requested();
  }

  const UpdateParts& parts_;
  UpdateRecord update_;
  const TakePlace take_place_;
  Stops stops_;
  MonotonicTime gateway_at_{};  // when it is looked at again
  // Of the process that runs now.
  bool progressed_ = false;  // it committed something
  int failed_tables_ = 0;
  Status first_failure_;
  std::map<std::string, Status> unread_;             // tables that could not be read, by name
  std::map<std::string, std::string> unregistered_;  // folders, by table
  std::set<std::string> refused_;                    // tables of which nothing more is told
};

}  // namespace freshet::pipeline
