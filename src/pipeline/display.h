// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "base/clock.h"
#include "pipeline/run_progress.h"
#include "record/observer.h"

namespace freshet::pipeline {

/// How a run ended, for its last lines.
struct RunSummary {
  RunProgress::Totals totals;
  double seconds = 0;
  Status status;  // the run's own; its tables' failures are in the progress
};

/// Shows a run to a person or a program. One thread.
class Display {
 public:
  virtual ~Display() = default;
  virtual void OnEvent(const record::Event& event, const RunProgress& progress) = 0;
  /// About five times a second.
  virtual void OnTick(const RunProgress& progress) = 0;
  virtual void OnEnd(const RunSummary& summary, const RunProgress& progress) = 0;
};

enum class DisplayKind : uint8_t { kBars, kLines, kJson, kQuiet };
/// `out` gets what was asked for, `err` what went wrong. Neither is owned.
std::unique_ptr<Display> MakeDisplay(DisplayKind kind, Clock* clock, std::FILE* out,
                                     std::FILE* err);

/// `1,234,567`.
std::string Grouped(int64_t number);
/// `2 h 05 min`, `3 min 07 s`, `4 s`.
std::string Duration(double seconds);
/// `2026-11-23T23:38:38.123456Z`.
std::string Timestamp(UtcMicros at);
/// The line that a person reads about an event; empty: nothing to say.
std::string Sentence(const record::Event& event, const RunProgress& progress);
/// The line that a table in its snapshot is drawn as: name, bar, percent, rate, time left; at most
/// `width` columns.
std::string BarLine(const std::string& name, const TableProgress& table, int width);

}  // namespace freshet::pipeline
