// SPDX-License-Identifier: Apache-2.0
#include "apply/housekeeping.h"

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"
#include "delta/cleanup.h"

namespace freshet::apply {

void Housekeeping::AfterCommit(const delta::Snapshot& snapshot) {
  checkpointed_ = std::max(checkpointed_, snapshot.checkpoint_version);
  if (snapshot.version - checkpointed_ < CommitsDue(snapshot)) return;
  checkpointed_ = snapshot.version;
  const Status written = table_->Checkpoint(snapshot);
  if (!written.ok()) {
    spdlog::warn("no checkpoint of {}: {}", name_, written.ToString());
    return;
  }
  if (clean_again_ && clock_->Now() < *clean_again_) return;
  clean_again_ = clock_->Now() + limits::kCleanUpInterval;
  Clean(snapshot);
}

int64_t Housekeeping::CommitsDue(const delta::Snapshot& snapshot) const {
  const auto actions = static_cast<int64_t>(snapshot.files.size() + snapshot.tombstones.size());
  return std::min(commits_max_, std::max(limits::kCommitsPerCheckpointMin,
                                         actions / limits::kActionsPerCheckpointCommit));
}

void Housekeeping::Clean(const delta::Snapshot& snapshot) {
  auto data = delta::Vacuum(*table_->store(), snapshot);
  if (!data.ok()) spdlog::warn("no vacuum of {}: {}", name_, data.status().ToString());
  auto log = delta::CleanLog(*table_->store(), snapshot);
  if (!log.ok()) spdlog::warn("no clean-up of the log of {}: {}", name_, log.status().ToString());
  const auto files = data.ok() ? data->files : 0;
  const auto log_files = log.ok() ? log->files : 0;
  if (files + log_files == 0) return;
  observer_->OnEvent({"table_cleaned",
                      {{"table", name_},
                       {"files", files},
                       {"log_files", log_files},
                       {"bytes", (data.ok() ? data->bytes : 0) + (log.ok() ? log->bytes : 0)}}});
}

}  // namespace freshet::apply
