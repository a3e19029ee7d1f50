// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/api.h"
#include "client/outcome.h"

namespace freshet::client {

/// What the events of an update have told of one table.
struct FlowProgress {
  std::string status{};                            // of its flow; empty: not told yet
  double percent = -1;                             // of its snapshot; -1: none is being read
  int64_t rows_read = -1, milliseconds_left = -1;  // likewise; -1: not told
  double rows_per_second = -1;
  int64_t upserted = 0, deleted = 0;
  int64_t told_at = -1;  // milliseconds since 1970, of the last event that had rows
  std::string failure{};
};

/// Where an update stands: the fold of its state and its events, and nothing else. One thread.
/// Source: the published PipelineEvent and UpdateInfo.
class UpdateProgress {
 public:
  void TakeState(std::string state) { state_ = std::move(state); }
  /// Events come in their order, each once.
  void Take(const Json& event);

  const std::string& state() const { return state_; }
  /// Whether nothing comes after its state.
  bool ended() const;
  const std::map<std::string, FlowProgress>& flows() const { return flows_; }
  struct Totals {
    int64_t flows = 0, done = 0, failed = 0, upserted = 0, deleted = 0;
  };
  Totals Sum() const;
  /// How the update ended: OK where it is COMPLETED. REQUIRES: ended().
  Outcome Ending() const;

 private:
  void TakeFlow(const Json& event, const std::string& name);
  void TakeSnapshot(const Json& operation, const std::string& name);

  std::string state_;
  std::map<std::string, FlowProgress> flows_;
  Status why_;  // what the update itself failed with
};

/// Return milliseconds since 1970 of `2026-11-23T23:38:38.123Z`; -1: it is no such time.
int64_t MillisecondsOf(std::string_view timestamp);

/// Return the lines of what is under way, each of at most so many columns: the tables that are
/// worked on, as many as there are rows for, and one that sums up. `seconds`: since the watching
/// began.
std::vector<std::string> BlockOf(const UpdateProgress& progress, int64_t seconds, size_t columns,
                                 size_t rows);
/// Return the line that an event is told by.
std::string LineOf(const Json& event);
/// Return the line that an update's end is told by.
std::string SummaryOf(const UpdateProgress& progress);

}  // namespace freshet::client
