// SPDX-License-Identifier: Apache-2.0
#include "pipeline/gateway_progress.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "pipeline/event_line.h"

namespace freshet::pipeline {
namespace {

/// Of more tables those are told of which most was captured: as many as the published service takes
/// in a pipeline, and a log has room for.
constexpr size_t kTablesToldMax = 250;

}  // namespace

void GatewayProgress::Configure(const Configuration& configuration) {
  tells_ = configuration.tells_progress;
  interval_ = configuration.progress_interval;
}

std::vector<record::Event> GatewayProgress::Take(const record::Event& event, MonotonicTime now) {
  const auto table = TextOf(event, "table");
  if (event.name == "segment_sealed") {
    waiting_ = true;
    rows_ += NumberOf(event, "rows");
    bytes_ += NumberOf(event, "bytes");
    lag_ms_ = NumberOf(event, "lag_ms");
    bytes_behind_ = NumberOf(event, "bytes_behind");
    return Due(now);
  }
  if (event.name == "changes_staged") {
    auto& sum = tables_[table];
    sum.upserted += NumberOf(event, "upserted");
    sum.deleted += NumberOf(event, "deleted");
    sum.bytes += NumberOf(event, "bytes");
    sum.lag_ms = NumberOf(event, "lag_ms");
    sum.committed_at = std::max(sum.committed_at, NumberOf(event, "committed_at"));
    waiting_ = true;
    return Due(now);
  }
  if (event.name == "snapshot_progress") {
    snapshots_[table] = event;
    return Due(now);
  }
  if (event.name == "snapshot_completed" || event.name == "snapshot_abandoned")
    snapshots_.erase(table);
  return {event};
}

std::vector<record::Event> GatewayProgress::Due(MonotonicTime now) {
  const bool due = !told_ || now - *told_ >= interval_;
  if (!tells_ || !due) return {};
  told_ = now;
  std::vector<record::Event> events;
  // Nothing is late where nothing came.
  if (!std::exchange(waiting_, false)) lag_ms_ = 0;
  events.push_back({"segment_sealed",
                    {{"rows", std::exchange(rows_, 0)},
                     {"bytes", std::exchange(bytes_, 0)},
                     {"lag_ms", lag_ms_},
                     {"bytes_behind", bytes_behind_}}});
  const auto captured = std::exchange(tables_, {});
  std::vector<std::pair<std::string, Captured>> most(captured.begin(), captured.end());
  if (most.size() > kTablesToldMax) {
    std::ranges::nth_element(most, most.begin() + kTablesToldMax, std::greater(),
                             [](const auto& of) { return of.second.upserted + of.second.deleted; });
    most.resize(kTablesToldMax);
    std::ranges::sort(most, {}, [](const auto& of) { return of.first; });
  }
  for (const auto& [table, sum] : most) {
    events.push_back({"changes_staged",
                      {{"table", table},
                       {"upserted", sum.upserted},
                       {"deleted", sum.deleted},
                       {"bytes", sum.bytes},
                       {"committed_at", sum.committed_at},
                       {"lag_ms", sum.lag_ms}}});
  }
  for (auto& [table, event] : std::exchange(snapshots_, {})) events.push_back(std::move(event));
  return events;
}

std::vector<record::Event> GatewayProgress::Rest() {
  if (!waiting_ && snapshots_.empty()) return {};
  auto events = Due(MonotonicTime::max());
  told_.reset();
  return events;
}

}  // namespace freshet::pipeline
