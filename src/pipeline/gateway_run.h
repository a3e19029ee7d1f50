// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/backoff.h"
#include "pipeline/capture_plan.h"
#include "pipeline/follower_log.h"
#include "pipeline/gateway_desk.h"
#include "pipeline/gateway_progress.h"
#include "pipeline/run_process.h"
#include "pipeline/update_run.h"

namespace freshet::pipeline {

/// An update of a gateway: captures what its pipelines ask for, in a process of its own, until
/// somebody stops it. One thread.
///
///   nobody asks for anything yet  → wait, and be RUNNING meanwhile
///   a pipeline is made, edited or deleted  → the process goes on with what they ask for by now
///   the process dies, its source cannot be reached, or it cannot be begun for want of something
///     that comes back  → again after a while, for ever
///   what somebody has to mend  → the update fails with it
///
/// What it says of a table's snapshot goes into the logs of the pipelines that wait for it, too.
class GatewayRun {
 public:
  struct Parts {
    const UpdateParts* update_parts = nullptr;
    std::string update{};
    EventLog* log = nullptr;
    /// Makes what has to be there first, and returns the file that the process logs to.
    std::function<Result<std::string>()> prepare;
    std::stop_token ending;
    std::function<bool()> stopping;
  };
  GatewayRun(Parts parts, const PipelineRecord& pipeline)
      : parts_(std::move(parts)), pipeline_(pipeline), followers_log_(parts_.update_parts->book) {}

  /// Return OK once it is stopped.
  Status Run();

 private:
  /// What is to be captured by now, as a run; nothing: no database is known yet.
  Result<std::optional<IngestOptions>> Plan();
  /// The same, once what has to be there first is made.
  Result<std::optional<IngestOptions>> PrepareAndPlan();
  /// Say so, and wait longer each time.
  void WaitAfter(const Status& why, const record::Event& event);
  RunEnd RunProcesses(const IngestOptions& options);
  Status Tick(RunProcess& process);
  Status Take(const record::Event& event);
  /// Into the gateway's own log, under its published names.
  Status Tell(const std::vector<record::Event>& events);
  void TakeLeftOut(const record::Event& event);
  void TakeCapturing(int64_t revision);
  /// Wait, but not longer than until it is to stop.
  void Wait(std::chrono::milliseconds wait) const;
  /// Wait until a pipeline was authored, or until it is to stop.
  void WaitForNews() const;

  const Parts parts_;
  const PipelineRecord& pipeline_;
  FollowerLog followers_log_;
  GatewayProgress progress_;
  std::string log_file_;  // empty: it is not prepared yet
  Backoff backoff_{std::chrono::hours(24 * 365 * 100)};
  Jitter jitter_{1};
  int64_t looked_at_ = -1;   // the book's revision at the last look
  MonotonicTime look_at_{};  // when the connection is looked at again
  // Of the last plan.
  std::string planned_;  // the hash of its line without a number
  int64_t revision_ = 0;
  std::string database_;
  std::vector<Follower> followers_;
  std::map<int64_t, std::vector<Follower>> asked_;  // plans that no process has said to serve yet
  // Of the process that runs now.
  bool capturing_ = false;  // it has reached its source
  bool outdated_ = false;   // it was ended, for it never would
  // By that process, and by its worker that begins.
  std::map<record::TableName, Status> left_out_, listed_;
};

}  // namespace freshet::pipeline
