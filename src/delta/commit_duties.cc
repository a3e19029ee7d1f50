// SPDX-License-Identifier: Apache-2.0
#include "delta/commit_duties.h"

#include <algorithm>

#include "delta/features.h"
#include "delta/log.h"

namespace freshet::delta {
namespace {

template <typename T>
T* Find(std::vector<Action>* actions) {
  for (auto& action : *actions) {
    if (auto* found = std::get_if<T>(&action)) return found;
  }
  return nullptr;
}

/// The table as the commit leaves it, as far as duties go by it.
struct After {
  const Protocol* protocol = nullptr;
  const Metadata* metadata = nullptr;
  bool Has(std::string_view property) const {
    return metadata != nullptr && protocol != nullptr && IsOn(*protocol, *metadata, property);
  }
};

After AfterOf(const Snapshot* base, std::vector<Action>* actions) {
  After after;
  after.protocol = Find<Protocol>(actions);
  after.metadata = Find<Metadata>(actions);
  if (base == nullptr) return after;
  if (after.protocol == nullptr) after.protocol = &base->protocol;
  if (after.metadata == nullptr) after.metadata = &base->metadata;
  return after;
}

/// The time that the version says of itself; nothing: its commit is there no more, only a
/// checkpoint.
Result<std::optional<int64_t>> TimeOf(store::FileStore& table, const Snapshot& version) {
  if (version.commit_time_ms) return version.commit_time_ms;
  auto actions = ReadCommit(table, version.version);
  if (actions.status().Is(ErrorClass::NOT_FOUND)) return std::optional<int64_t>();
  if (!actions.ok()) return actions.status();
  const auto* info = Find<CommitInfo>(&*actions);
  return info == nullptr ? std::nullopt : info->in_commit_at_ms;
}

/// When the file of a commit without a time of its own was written.
Result<std::optional<int64_t>> WrittenAt(store::FileStore& table, int64_t version) {
  auto file = table.Stat(CommitPath(version));
  if (file.status().Is(ErrorClass::NOT_FOUND)) return std::optional<int64_t>();
  if (!file.ok()) return file.status();
  return std::optional(file->modified_at / 1000);
}

Status Stamp(store::FileStore& table, const Snapshot* base, const After& after, CommitInfo* info,
             std::vector<Action>* actions) {
  if (!after.Has(kEnableCommitTimes)) return Status::Ok();
  info->in_commit_at_ms = info->at_ms;
  if (base == nullptr) return Status::Ok();
  std::optional<int64_t> before;
  if (base->stamps_commits()) {
    FRESHET_TRY(before, TimeOf(table, *base));
  } else {
    FRESHET_TRY(before, WrittenAt(table, base->version));
  }
  if (before) info->in_commit_at_ms = std::max(info->at_ms, *before + 1);
  if (base->stamps_commits()) return Status::Ok();
  // Of the two that turn it on, the commit may have only the protocol.
  if (Find<Metadata>(actions) == nullptr) actions->emplace_back(base->metadata);
  auto& properties = Find<Metadata>(actions)->configuration;
  properties["delta.inCommitTimestampEnablementVersion"] = std::to_string(base->version + 1);
  properties["delta.inCommitTimestampEnablementTimestamp"] = std::to_string(*info->in_commit_at_ms);
  return Status::Ok();
}

}  // namespace

Status FulfilDuties(store::FileStore& table, const std::shared_ptr<const Snapshot>& base,
                    CommitInfo* info, std::vector<Action>* actions) {
  const After after = AfterOf(base.get(), actions);
  return Stamp(table, base.get(), after, info, actions);
}

}  // namespace freshet::delta
