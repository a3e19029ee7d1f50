// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>

#include "base/clock.h"
#include "capture/snapshot_holder.h"
#include "pipeline/worker_channel.h"

namespace freshet::pipeline {

/// The holder process as the gateway sees it: both talk through the command, which starts the
/// holder at the first question and puts the question again to one that died before its answer.
///
///   gateway: snapshot_wanted(ticket)  → holder takes one and holds it
///   holder:  snapshot_taken(ticket, handle or error)  → gateway
///   gateway: snapshots_read(handles)  → holder lets go of all others
class RemoteHolder final : public capture::SnapshotHolder {
 public:
  RemoteHolder(WorkerChannel* channel, Clock* clock) : channel_(channel), clock_(clock) {}
  /// Errors: CANCELLED (the gateway is to stop), and what the holder's source says.
  Result<std::string> Take() override;
  void KeepOnly(const std::set<std::string>& handles) override;

 private:
  WorkerChannel* const channel_;
  Clock* const clock_;
};

/// Several handles as one field of an event, and back.
std::string JoinHandles(const std::set<std::string>& handles);
std::set<std::string> SplitHandles(std::string_view text);

}  // namespace freshet::pipeline
