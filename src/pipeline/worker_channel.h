// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/status.h"
#include "pipeline/event_line.h"
#include "pipeline/flow_book.h"
#include "pipeline/source_settings.h"
#include "pipeline/spec.h"
#include "record/observer.h"

namespace freshet::pipeline {

/// What a worker is told first.
struct WorkerStart {
  std::string destination;  // DIR
  SourceSettings source;
  bool continuous = false;
  PipelineSpec spec;
  /// Of the reading half: which pipeline over its staging it is.
  std::string pipeline = kOnlyPipeline;
  /// Whether the two halves are processes of two runs, which meet in staging alone.
  bool apart = false;
  /// Of the capturing half of such: for whom it captures, and the how manieth such line this is.
  std::vector<std::string> pipelines = {};
  int64_t revision = 0;
};
/// The line a worker's input begins with. The secrets go over the pipe and nowhere else.
std::string ToLine(const WorkerStart& start);
/// Errors: INVALID_ARGUMENT.
Result<WorkerStart> WorkerStartFromLine(std::string_view line);

/// A worker's end of its pipes: commands in, events out. Thread-safe. The end of the input, and
/// SIGTERM, mean stop. SIGINT and SIGHUP are the command's matter: the terminal sends them to
/// every process of the group.
///
/// Commands: `hint` (new segments), `drain` (with `through` for the update), and those between the
/// gateway and the holder of its snapshots (remote_holder.h).
class WorkerChannel final : public record::Observer {
 public:
  /// Tie this process's life to its parent's and take SIGTERM. Called first, before any thread.
  static Result<std::unique_ptr<WorkerChannel>> Open();
  ~WorkerChannel() override;

  /// Wait for the first line. Errors: CANCELLED (the input ended), INVALID_ARGUMENT.
  Result<WorkerStart> ReadStart();
  /// Take commands from here on, in a thread of its own.
  void Start();

  /// Write the event as a line of output.
  void OnEvent(const record::Event& event) override;
  /// The worker's last word. Returns the process's exit code.
  int End(const Status& status);

  std::stop_token stop() const { return stop_.get_token(); }
  bool drain_requested() const;
  /// How far to go before ending; nothing: on and on.
  std::optional<int64_t> drain_through() const;
  /// Return at a command, at the deadline, or on stop. A command that came since the last call
  /// counts.
  void WaitForCommand(Deadline deadline);
  /// Return the oldest command that is neither `hint` nor `drain`, if one came.
  std::optional<record::Event> NextCommand();

 private:
  WorkerChannel(int signals, int wake_read, int wake_write);
  void Listen(const std::stop_token& ended);
  bool ReadInput();
  void TakeCommand(const std::string& line);

  const int signals_, wake_read_, wake_write_;
  std::stop_source stop_;
  LineBuffer lines_;  // the listening thread's, after Start
  std::vector<std::string> early_;
  std::mutex output_mutex_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  // State below is protected by mutex_.
  bool command_came_ = false;
  bool drain_ = false;
  std::optional<int64_t> through_;
  std::deque<record::Event> commands_;
  std::jthread listener_;
};

}  // namespace freshet::pipeline
