// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "record/observer.h"

namespace freshet::pipeline {

/// Keeps an engine that commits many times a second from writing as many lines into an event log: a
/// table's commits are told together, and so are a gateway's segments, and of a snapshot's progress
/// the last, each at most so often. Everything else is told at once. One thread.
class EventDigest {
 public:
  /// Return what is to be told now.
  std::vector<record::Event> Take(const record::Event& event, MonotonicTime now);
  /// Return what has waited long enough.
  std::vector<record::Event> Due(MonotonicTime now);
  /// Return all that still waits: the run has ended.
  std::vector<record::Event> Rest();

 private:
  struct Kept {
    record::Event event;
    bool waiting = false;
    MonotonicTime told{};
  };
  std::map<std::string, Kept> commits_, snapshots_;  // by table
  std::map<std::string, Kept> segments_;             // all in one
};

}  // namespace freshet::pipeline
