// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <vector>

#include "pipeline/capture_plan.h"
#include "record/observer.h"

namespace freshet::pipeline {

/// Tells pipelines what their gateway does for them, in their own event logs. What comes when an
/// update has ended already, for the two meet in staging alone, is told to the last one. One
/// thread, the gateway's.
class FollowerLog {
 public:
  explicit FollowerLog(PipelineBook* book) : book_(book) {}
  /// Into the log of the pipeline that the event's flow belongs to.
  Status Tell(const std::vector<Follower>& followers, const record::Event& event);

 private:
  /// Return the update that an event is of; nothing: it is of none.
  Result<std::optional<std::string>> UpdateOf(const PipelineRecord& pipeline,
                                              const record::Event& event);

  PipelineBook* const book_;
  std::set<std::string> unasked_;  // flows whose snapshot is read because its time had come
};

}  // namespace freshet::pipeline
