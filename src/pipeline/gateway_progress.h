// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "pipeline/configuration.h"
#include "record/observer.h"

namespace freshet::pipeline {

/// What a gateway's own event log has of its progress: how much it captured since the last time, of
/// all tables together, nothing too, so that one sees that it lives, and of each of which something
/// came; and how far its snapshots are. All of that as often as its configuration says, and all
/// else at once. One thread.
/// Source: the published progress events of gateways.
class GatewayProgress {
 public:
  void Configure(const Configuration& configuration);
  /// Return what is to be told now.
  std::vector<record::Event> Take(const record::Event& event, MonotonicTime now);
  /// Return what has waited long enough, of a gateway that captures.
  std::vector<record::Event> Due(MonotonicTime now);
  /// Return all that waits: it captures no more.
  std::vector<record::Event> Rest();

 private:
  bool tells_ = true;
  std::chrono::seconds interval_ = limits::kProgressInterval;
  std::optional<MonotonicTime> told_{};  // nothing: never yet
  bool waiting_ = false;                 // something was captured since
  int64_t rows_ = 0, bytes_ = 0, lag_ms_ = 0, bytes_behind_ = 0;
  /// What was captured of a table since the last time.
  struct Captured {
    int64_t upserted = 0, deleted = 0, bytes = 0, lag_ms = 0;
    int64_t committed_at = 0;  // µs; the newest
  };
  std::map<std::string, Captured> tables_;
  std::map<std::string, record::Event> snapshots_;  // by table: the last that was not told
};

}  // namespace freshet::pipeline
