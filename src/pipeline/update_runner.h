// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "pipeline/restart_windows.h"
#include "pipeline/update_run.h"

namespace freshet::pipeline {

/// Runs updates beside each other, each in a thread that waits for its process; some wait for
/// others to end, or for a gateway. Thread-safe.
class UpdateRunner {
 public:
  explicit UpdateRunner(UpdateParts parts)
      : parts_(std::move(parts)),
        windows_({.book = parts_.book,
                  .clock = parts_.clock,
                  .restart = [this](const auto& update) { Restart(update); }}) {}
  ~UpdateRunner() { Shutdown(); }

  /// Take up what a former server left under way, and what is due in restart windows from now on.
  Status Resume();
  void Submit(UpdateRecord update);
  /// Ask the pipeline's update to end; nothing happens when none is under way.
  Status Stop(const std::string& pipeline);
  /// Have the update end, unless it has, and its pipeline's next one begin at once, by what the
  /// pipeline is by now. A stop that is asked for meanwhile comes first.
  void Restart(const UpdateRecord& update);
  /// Return when no update of the pipeline is in a thread any more, or at the deadline: then false.
  bool WaitForEnd(const std::string& pipeline, Deadline deadline);
  /// End every process; their updates stay under way for the next server.
  void Shutdown();

 private:
  struct Entry {
    std::string pipeline;
    std::stop_source stop, renewal;
    std::jthread thread;
    bool done = false;
  };
  void Work(const UpdateRecord& update, const std::stop_token& stop,
            const std::stop_token& renewal);
  /// Take up a stop that was asked for while the update was in no thread yet.
  void TakeUpStop(const UpdateRecord& update);
  /// Wait for a place, and say so first; false: asked to end before there was one.
  bool Enter(const std::stop_token& stop, const std::function<void()>& on_wait);

  UpdateParts parts_;
  RestartWindows windows_;
  std::stop_source ending_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  // Below protected by mutex_.
  std::map<std::string, Entry> entries_;  // by update
  size_t running_ = 0;
};

}  // namespace freshet::pipeline
