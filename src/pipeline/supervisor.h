// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "pipeline/backoff.h"
#include "pipeline/worker_process.h"
#include "record/observer.h"

namespace freshet::pipeline {

/// Runs worker processes until all have ended well, one failed for good, or a signal asks to stop.
/// Owns the processes; one thread; a signal is taken from a descriptor, so nothing runs in a
/// handler.
///
///   start every worker: its greeting is the first lines of its input
///   loop: lines of output → listener; end of output → done, start again after a while, or stop all
///     and return why
///         signal → end every input, wait, return CANCELLED; a second signal, or no end in time →
///           kill
class Supervisor {
 public:
  /// Who is told. Called by Run's thread.
  class Listener {
   public:
    virtual ~Listener() = default;
    /// The lines a worker's input begins with, asked at every start of it.
    virtual std::vector<std::string> Greeting(const std::string& role) = 0;
    /// Return whether the event is progress: retries start counting anew.
    virtual bool OnEvent(const std::string& role, const record::Event& event) = 0;
    virtual void OnRestart(const std::string& role, const Status& why,
                           std::chrono::milliseconds wait) = 0;
    /// About five times a second.
    virtual void OnTick() = 0;
  };
  struct Options {
    std::vector<std::string> program;  // a worker's command line; its role is appended
    std::string log_folder, log_prefix;
    int lock = -1;
    int signals = -1;  // a signalfd
    std::chrono::milliseconds retry_for{120'000};
    std::chrono::milliseconds stop_within{20'000};
    bool continuous = false;
  };
  Supervisor(Clock* clock, Listener* listener, Options options);
  ~Supervisor();

  /// Errors: CANCELLED (a signal), or why a worker failed for good.
  Status Run(const std::vector<std::string>& roles);
  /// Start a worker that Run was not given, or that has ended, unless it is under way already.
  /// REQUIRES: called from a Listener.
  void Wake(const std::string& role);
  /// Have a worker end in good order, and start it again at once: its greeting is another by now.
  /// REQUIRES: called from a Listener.
  void Restart(const std::string& role);
  /// Send a line to a worker that runs now; its next start has it from its greeting.
  void Send(const std::string& role, std::string_view line);

 private:
  struct Worker {
    std::string role;
    Backoff backoff;
    std::unique_ptr<WorkerProcess> process{};
    Status said{};  // the worker's last word
    bool said_end = false;
    int crashes = 0;  // by a fault of its own, without progress in between
    std::optional<MonotonicTime> start_at{};
    bool done = false;
    // It was told to end only to be started again; killed if it has not by then.
    std::optional<MonotonicTime> renewed_by{};
  };
  Status StartDue();
  void Poll();
  void TakeSignal();
  void TakeLines(Worker& worker);
  Status TakeEnd(Worker& worker);
  Status WhyEnded(Worker& worker, const ProcessEnd& end) const;
  Status Stop(Status why);
  std::string LogOf(const Worker& worker) const;

  Clock* const clock_;
  Listener* const listener_;
  const Options options_;
  std::list<Worker> workers_;  // Wake adds to it while it is walked
  int signals_taken_ = 0;
  Jitter jitter_;
};

}  // namespace freshet::pipeline
