// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "delta/actions.h"
#include "store/file_store.h"

/// The names and lines of `_delta_log`. Source: Delta protocol, "Delta Log Entries", "Checkpoints",
/// "Last Checkpoint File".
namespace freshet::delta {

inline constexpr std::string_view kLogFolder = "_delta_log";
inline constexpr std::string_view kLastCheckpoint = "_delta_log/_last_checkpoint";
/// A commit's tag with the number of its lines.
inline constexpr std::string_view kLinesTag = "freshet.lines";

std::string CommitPath(int64_t version);
std::string CheckpointPath(int64_t version);
/// The version that a file of the log belongs to, a compacted one to its last; nothing for others.
std::optional<int64_t> LogVersion(std::string_view path);

/// One whole checkpoint: one file, or all parts of a multi-part one.
struct CheckpointFiles {
  int64_t version = -1;
  std::vector<std::string> paths;
};

/// What lies in the log from some version on; ascending.
struct LogFiles {
  std::vector<int64_t> commits;
  std::vector<CheckpointFiles> checkpoints;
};
Result<LogFiles> ListLog(store::FileStore& table, int64_t from_version);

/// The version that `_last_checkpoint` names; nothing when it is absent or damaged: it is only a
/// hint.
Result<std::optional<int64_t>> LastCheckpoint(store::FileStore& table);

/// Errors: NOT_FOUND, DELTA_CORRUPT (a torn or foreign line).
Result<std::vector<Action>> ReadCommit(store::FileStore& table, int64_t version);

}  // namespace freshet::delta
