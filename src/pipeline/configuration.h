// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/server_limits.h"
#include "base/status.h"
#include "pipeline/pipeline_book.h"

namespace freshet::pipeline {

/// What the `configuration` of a pipeline says. A value.
struct Configuration {
  /// Of a gateway: whether its log has its progress, and how often.
  bool tells_progress = true;
  std::chrono::seconds progress_interval = limits::kProgressInterval;
  /// The keys that nothing follows from.
  std::vector<std::string> unused = {};
};

/// Read its JSON text. Errors: INVALID_ARGUMENT: names the key.
/// Source: the published keys of pipelines' configuration.
Result<Configuration> ReadConfiguration(std::string_view json, bool gateway);
/// Return the one within a pipeline's specification. Nothing follows from what cannot be read.
Configuration ConfigurationOf(const PipelineRecord& pipeline);

}  // namespace freshet::pipeline
