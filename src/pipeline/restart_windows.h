// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "pipeline/pipeline_book.h"
#include "pipeline/restart_window.h"

namespace freshet::pipeline {

/// Has the updates of continuous pipelines and of gateways begun anew in their restart windows:
/// once in each, in its first hour, unless they began within it. The book says when they began, and
/// nothing else is remembered: a server that was away does it when it is back, if the window is
/// still open. Start and Stop are one thread's; Step is called by the one that Start begins.
class RestartWindows {
 public:
  struct Parts {
    PipelineBook* book = nullptr;
    Clock* clock = nullptr;
    /// Asks the update to end, and to be followed by another.
    std::function<void(const UpdateRecord&)> restart;
  };
  explicit RestartWindows(Parts parts) : parts_(std::move(parts)) {}

  void Start();
  void Stop();
  /// See which windows are open, and whose updates are due.
  void Step();

 private:
  struct Windowed {
    std::string pipeline;
    RestartWindow window;
  };
  Status Look();
  Status Attend(const Windowed& windowed);

  const Parts parts_;
  // Of Step.
  std::vector<Windowed> windowed_;
  int64_t revision_ = -1;  // the book's at the last look
  std::jthread thread_;    // last: it uses all of the above
};

}  // namespace freshet::pipeline
