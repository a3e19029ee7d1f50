// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/ingest.h"
#include "pipeline/worker_process.h"
#include "record/observer.h"

namespace freshet::pipeline {

/// How a run's process ended. `said`: it told how, or the server itself ended it; else it died.
struct RunEnd {
  Status status;
  bool said = false;
};

/// A run in a process of its own, watched to its end. One thread.
class RunProcess {
 public:
  struct Parts {
    Clock* clock = nullptr;
    std::vector<std::string> program;  // a worker's command line; its role is appended
    std::string log;
    /// Whether it is to end by now.
    std::function<bool()> stopping;
    /// Takes what it says, commits and progress some at a time. An error ends the run with that.
    std::function<Status(const record::Event&)> take;
    /// Called several times a second; null: nothing. Likewise.
    std::function<Status(RunProcess&)> tick = {};
  };
  /// Return at the process's end.
  static RunEnd Run(const Parts& parts, const IngestOptions& options);

  /// Tell it what to go on with.
  void Send(const IngestOptions& options);

 private:
  RunProcess(const Parts& parts, std::unique_ptr<WorkerProcess> process)
      : parts_(parts), process_(std::move(process)) {}
  RunEnd Watch();
  Status TakeAll(const std::vector<record::Event>& events) const;

  const Parts& parts_;
  const std::unique_ptr<WorkerProcess> process_;
};

}  // namespace freshet::pipeline
