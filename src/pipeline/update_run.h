// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "catalog/catalog.h"
#include "pipeline/event_log.h"
#include "pipeline/pipeline_book.h"
#include "pipeline/source_settings.h"
#include "pipeline/update_plan.h"

namespace freshet::pipeline {

/// What updates are run with; what it points at outlives them.
struct UpdateParts {
  PipelineBook* book = nullptr;
  catalog::Catalog* catalog = nullptr;
  Clock* clock = nullptr;
  OpenSource open_source;
  std::string data;                  // the server's directory
  std::vector<std::string> program;  // a worker's command line; its role is appended
};

/// One update, from its first state to its last: plans it, runs it in a process of its own, writes
/// what it says into the event log, registers the tables it finds. One thread.
///
///   QUEUED → WAITING_FOR_RESOURCES → INITIALIZING → SETTING_UP_TABLES → RUNNING → COMPLETED,
///     FAILED
///   any, when it is asked to stop → STOPPING → CANCELED
///
/// A process that dies is started again, and so is everything by the next server: each goes on from
/// what is durable.
class UpdateRun {
 public:
  UpdateRun(const UpdateParts& parts, UpdateRecord update)
      : parts_(parts), update_(std::move(update)) {}

  /// Return at the update's end, or when the server ends: then the update stays under way.
  /// `stop`: somebody asked to stop it. `ending`: the server ends.
  void Run(const std::stop_token& stop, const std::stop_token& ending);

 private:
  Status Work(EventLog* log, const PipelineRecord& pipeline);
  Status Check(const IngestOptions& options) const;
  Status RunProcesses(const IngestOptions& options, EventLog* log, const PipelineRecord& pipeline,
                      const Definition& definition);
  /// One process to its end. `said`: whether it told how it ended.
  Status RunProcess(const IngestOptions& options, EventLog* log, const PipelineRecord& pipeline,
                    const Definition& definition, bool* said);
  Status TakeEvent(const record::Event& event, EventLog* log, const PipelineRecord& pipeline,
                   const Definition& definition);
  Status Register(const record::Event& event, const PipelineRecord& pipeline,
                  const Definition& definition);
  Status Enter(EventLog* log, UpdateState state, const Status& why);
  bool stopping() const { return stop_.stop_requested() || ending_.stop_requested(); }

  const UpdateParts& parts_;
  UpdateRecord update_;
  std::stop_token stop_, ending_;
  int failed_tables_ = 0;
  Status first_failure_;
};

}  // namespace freshet::pipeline
