// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "pipeline/event_line.h"

namespace freshet::pipeline {

/// The descriptor under which a worker holds the destination's lock.
inline constexpr int kLockDescriptor = 3;

/// How a process ended.
struct ProcessEnd {
  int exit_code = 0;
  int signal = 0;  // not 0: killed by it
};

/// One worker process: lines in, lines out, its standard error in a file. In the command's process
/// group. Owned by the supervisor; one thread. Destroying it kills a process that still runs.
class WorkerProcess {
 public:
  struct Start {
    std::vector<std::string> arguments;  // the program's path first
    std::string log;                     // appended to
    int lock = -1;                       // the destination's lock: handed on as kLockDescriptor
  };
  /// Errors: INTERNAL (the system cannot start it), STORE_* (the log).
  static Result<std::unique_ptr<WorkerProcess>> Run(const Start& start);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  /// The end to poll for output.
  int output() const { return output_; }
  pid_t id() const { return id_; }
  /// Add the lines that came; false at the end of the output: the process is gone or about to be.
  bool Read(std::vector<std::string>* lines);
  /// A worker that died does not get the line; its end is seen at the output.
  void Send(std::string_view line);
  /// Ask it to stop: its input ends.
  void CloseInput();
  void Kill();
  /// Wait for its end. REQUIRES: Read returned false, or Kill.
  ProcessEnd Wait();

 private:
  WorkerProcess(pid_t id, int input, int output) : id_(id), input_(input), output_(output) {}
  pid_t id_;
  int input_, output_;
  bool ended_ = false;
  LineBuffer lines_;
};

}  // namespace freshet::pipeline
