// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/gateway_definition.h"
#include "pipeline/pipeline_book.h"
#include "record/observer.h"

namespace freshet::pipeline {

/// Every event of ours has it.
inline constexpr std::string_view kMaturityLevel = "STABLE";

/// Writes a pipeline's event log in the published shape: what its updates enter, and what the
/// engine says of tables meanwhile. One thread. Source: the published PipelineEvent.
class EventLog {
 public:
  EventLog(PipelineBook* book, const PipelineRecord& pipeline, std::string update)
      : book_(book),
        pipeline_(pipeline),
        update_(std::move(update)),
        gateway_(IsGateway(pipeline)) {}

  /// `Update 1a2b3c is RUNNING.`, with the error that led there if one did.
  EventRecord Progress(UpdateState state, const Status& why) const;
  /// What somebody did: CREATE, START, EDIT, STOP.
  EventRecord UserAction(std::string_view action, std::string_view user) const;
  /// How an update was begun, and what of the pipeline's configuration nothing follows from.
  std::vector<EventRecord> Begun(std::string_view cause, const std::string& request) const;
  /// The latter alone; nothing: all of it has a meaning.
  std::optional<EventRecord> UnusedSettings() const;

  /// Take an event of the engine; most say nothing that is published.
  Status Take(const record::Event& event);
  /// The end of every table that no other end was told of.
  Status Finish(bool completed);

 private:
  EventRecord CreateUpdate(std::string_view cause, const std::string& request) const;
  EventRecord Make(std::string_view level, std::string_view type, std::string message) const;
  /// What flow_progress says beside the status, as JSON; empty: nothing. `periodic`: told at an
  /// interval, of the level METRICS.
  struct FlowMetrics {
    std::string counters = {}, streaming = {};
    bool periodic = false;
  };
  Status TellFlow(const std::string& table, std::string_view status, const FlowMetrics& metrics,
                  const Status& why);
  Status TellSnapshot(const record::Event& event, std::string_view status, double percent);
  /// The flows of a gateway, under their published names.
  Status TakeCaptured(const record::Event& event);

  PipelineBook* const book_;
  const PipelineRecord& pipeline_;
  const std::string update_;
  const bool gateway_;
  std::map<std::string, std::string> statuses_;  // by table: the last that was told
};

}  // namespace freshet::pipeline
