// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "pipeline/display.h"
#include "pipeline/exit_code.h"
#include "pipeline/flow_book.h"
#include "pipeline/source_settings.h"
#include "pipeline/spec.h"

namespace freshet::pipeline {

/// Which of the two halves a run has: both, or one, which meets the other in staging alone.
enum class Halves : uint8_t { kBoth, kCapture, kApply };

/// What `freshet ingest` was asked for, or a server's pipeline.
struct IngestOptions {
  Halves halves = Halves::kBoth;

  std::string directory;
  SourceSettings source;
  std::string database;  // of the source, for a specification's source_catalog
  PipelineSpec spec;
  std::vector<TablePattern> refresh;  // tables to be read again, once
  bool continuous = false;
  std::string update{};  // the server's that this is the run of: its workers' logs say so
  std::chrono::milliseconds retry_for{120'000};
  std::vector<std::string> worker_program;  // its role is appended
  OpenSource open_source;

  /// Of a run that only applies: which pipeline over the staging it is, and which tables its
  /// gateway left out.
  std::string pipeline = kOnlyPipeline;
  std::vector<std::pair<record::TableName, Status>> left_out = {};
  /// Of a run that only captures: for which pipelines, and the how manieth such options they are.
  /// Later ones come by `news`, several times a second asked.
  std::vector<std::string> pipelines = {};
  int64_t revision = 0;
  std::function<std::optional<IngestOptions>()> news = {};
};

/// Bring the destination up to the source, or keep it there: look at the destination and the
/// source, then run the workers of its halves. Every error is shown by `display` before it returns.
ExitCode Ingest(const IngestOptions& options, Clock* clock, Display* display);

/// Remove what Freshet made for a destination: slot and publication at the source, `_freshet`, and
/// with `tables` the tables' folders. `source` is how to reach the source; its slot and publication
/// are the destination's own record. False: DIR is there and has nothing of ours.
/// Errors: NOT_FOUND, DESTINATION_BUSY, DESTINATION_FOREIGN, the source's, STORE_*.
struct DropOptions {
  std::string directory;
  SourceSettings source;
  bool tables = false;
  OpenSource open_source;
};
Result<bool> Drop(const DropOptions& options, Clock* clock);

}  // namespace freshet::pipeline
