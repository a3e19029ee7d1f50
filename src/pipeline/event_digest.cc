// SPDX-License-Identifier: Apache-2.0
#include "pipeline/event_digest.h"

#include "base/server_limits.h"
#include "pipeline/event_line.h"

namespace freshet::pipeline {
namespace {

/// Counters are since the last that was told, as published.
void Add(const record::Event& event, record::Event* sum) {
  auto counted = [&](const char* name) { return NumberOf(*sum, name) + NumberOf(event, name); };
  *sum = {"table_committed",
          {{"table", TextOf(event, "table")},
           {"inserted", counted("inserted")},
           {"updated", counted("updated")},
           {"deleted", counted("deleted")}}};
}

void AddSegment(const record::Event& event, record::Event* sum) {
  auto counted = [&](const char* name) { return NumberOf(*sum, name) + NumberOf(event, name); };
  *sum = {"segment_sealed",
          {{"rows", counted("rows")},
           {"bytes", counted("bytes")},
           {"lag_ms", NumberOf(event, "lag_ms")},
           {"bytes_behind", NumberOf(event, "bytes_behind")}}};
}

}  // namespace

std::vector<record::Event> EventDigest::Take(const record::Event& event, MonotonicTime now) {
  auto table = TextOf(event, "table");
  if (event.name == "table_committed") {
    auto& kept = commits_[table];
    Add(event, &kept.event);
    kept.waiting = true;
    return Due(now);
  }
  if (event.name == "segment_sealed") {
    auto& kept = segments_[""];
    AddSegment(event, &kept.event);
    kept.waiting = true;
    return Due(now);
  }
  if (event.name == "snapshot_progress") {
    auto& kept = snapshots_[table];
    kept.event = event;
    kept.waiting = true;
    return Due(now);
  }
  if (event.name == "snapshot_completed") snapshots_.erase(table);
  auto events = Due(now);
  events.push_back(event);
  return events;
}

std::vector<record::Event> EventDigest::Due(MonotonicTime now) {
  std::vector<record::Event> events;
  for (auto* all : {&commits_, &snapshots_, &segments_}) {
    for (auto& [table, kept] : *all) {
      bool first = kept.told == MonotonicTime();
      if (!kept.waiting || (!first && now - kept.told < limits::kEventInterval)) continue;
      events.push_back(std::move(kept.event));
      kept = {.event = {}, .waiting = false, .told = now};
    }
  }
  return events;
}

std::vector<record::Event> EventDigest::Rest() { return Due(MonotonicTime::max()); }

}  // namespace freshet::pipeline
