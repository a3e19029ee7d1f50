// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace freshet::pipeline {

/// A file that a process of a pipeline's updates wrote its log to. All that has a limit is kept:
/// of runs and of workers the newest files.
struct RunLog {
  std::string name;    // of the file
  std::string worker;  // run, gateway, update, holder
  std::string update;  // the one that it belongs to; empty: not known
  int64_t bytes = 0;
  int64_t modified_at = 0;  // milliseconds since 1970, UTC
};

/// Return the file that an update's run logs to; its folder is made, and the oldest files in it
/// go. Errors: STORE_*.
Result<std::string> MakeRunLog(const std::string& data, const std::string& pipeline,
                               const std::string& update);

/// Return the logs of a pipeline or gateway, what was written to last first. Errors: STORE_*.
Result<std::vector<RunLog>> RunLogsOf(const std::string& data, const std::string& pipeline);

/// Whole lines of a log.
struct RunLogPiece {
  std::string text;
  int64_t from = 0, to = 0;  // where they lie; what is written later follows at `to`
  int64_t bytes = 0;         // of the file by now
};
/// Read on from an offset, or without one the end of the file; so much at most. A line that is
/// longer than that comes in parts, one that is not ended yet comes later.
/// Errors: NOT_FOUND, INVALID_ARGUMENT (a name that is none), STORE_*.
Result<RunLogPiece> ReadRunLog(const std::string& data, const std::string& pipeline,
                               const std::string& name, std::optional<int64_t> from,
                               int64_t bytes_max);

}  // namespace freshet::pipeline
