// SPDX-License-Identifier: Apache-2.0
#include "delta/commit_duties.h"

#include <algorithm>
#include <set>

#include "base/random.h"
#include "delta/action_json.h"
#include "delta/features.h"
#include "delta/log.h"
#include "delta/stats.h"

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

// --- row ids. Source: Delta protocol, "Row Tracking".

constexpr char kRowDomain[] = "delta.rowTracking";
constexpr char kHighWaterMark[] = "rowIdHighWaterMark";
constexpr std::string_view kIdColumn = "delta.rowTracking.materializedRowIdColumnName",
                           kVersionColumn =
                               "delta.rowTracking.materializedRowCommitVersionColumnName";

constexpr char kSuspended[] = "delta.rowTrackingSuspended";

/// Whether files have to have row ids; where that is suspended, none may be given.
bool GivesIds(const Protocol& protocol, const Metadata& metadata) {
  return protocol.writer_features.contains("rowTracking") &&
         (PropertyOf(metadata, kSuspended) != "true" ||
          PropertyOf(metadata, kEnableRowTracking) == "true");
}

/// The highest row id that was ever given; -1: none.
Result<int64_t> HighWaterMark(const Snapshot* base) {
  if (base == nullptr || !base->domains.contains(kRowDomain)) return -1;
  const Json json = ParseJson<Json>(base->domains.at(kRowDomain).configuration);
  if (json.is_object() && json.contains(kHighWaterMark) && json[kHighWaterMark].is_number_integer())
    return json[kHighWaterMark].get<int64_t>();
  return Error(ErrorClass::DELTA_CORRUPT, "the table does not say how many row ids it gave");
}

Status NumberRows(const Snapshot* base, int64_t version, int64_t* high, AddFile* add) {
  if (base != nullptr) {
    auto before = base->files.find(add->path);
    if (before != base->files.end() && before->second.base_row_id) {
      add->base_row_id = before->second.base_row_id;
      add->default_row_commit_version = before->second.default_row_commit_version;
    }
  }
  if (add->base_row_id && add->default_row_commit_version) return Status::Ok();
  const int64_t rows = RowsOf(add->stats_json);
  if (rows < 0) {
    return Error(ErrorClass::DELTA_UNSUPPORTED,
                 "a file of a table with row ids does not say how many rows it has: {}", add->path);
  }
  add->base_row_id = *high + 1;
  add->default_row_commit_version = version;
  *high += rows;
  return Status::Ok();
}

/// Files that were there before rows had ids get theirs by being added again as they are.
std::vector<AddFile> FilesWithoutIds(const Snapshot& base, const std::vector<Action>& actions) {
  std::set<std::string> named;
  for (const auto& action : actions) {
    if (const auto* add = std::get_if<AddFile>(&action)) named.insert(add->path);
    if (const auto* remove = std::get_if<RemoveFile>(&action)) named.insert(remove->path);
  }
  std::vector<AddFile> files;
  for (const auto& [path, file] : base.files) {
    if (named.contains(path) || file.base_row_id) continue;
    files.push_back(file);
    files.back().data_change = false;
  }
  return files;
}

Status TrackRows(const Snapshot* base, const After& after, std::vector<Action>* actions) {
  if (after.protocol == nullptr || after.metadata == nullptr ||
      !GivesIds(*after.protocol, *after.metadata))
    return Status::Ok();
  const int64_t version = base == nullptr ? 0 : base->version + 1;
  FRESHET_TRY(const int64_t before, HighWaterMark(base));
  int64_t high = before;
  // While it was off, or suspended, others may have added files without.
  const bool begins = base != nullptr && (!GivesIds(base->protocol, base->metadata) ||
                                          (!base->tracks_rows() && after.Has(kEnableRowTracking)));
  if (begins) {
    for (auto& file : FilesWithoutIds(*base, *actions)) actions->emplace_back(std::move(file));
  }
  for (auto& action : *actions) {
    if (auto* add = std::get_if<AddFile>(&action))
      FRESHET_CHECK_OK(NumberRows(base, version, &high, add));
  }
  if (high != before) {
    actions->emplace_back(
        DomainMetadata{kRowDomain, fmt::format(R"({{"{}":{}}})", kHighWaterMark, high)});
  }
  auto* metadata = Find<Metadata>(actions);
  if (metadata == nullptr || PropertyOf(*metadata, kEnableRowTracking) != "true")
    return Status::Ok();
  auto suspended = metadata->configuration.find(kSuspended);
  if (suspended != metadata->configuration.end()) suspended->second = "false";
  // Where rows keep their ids when they are written anew; the names are never used again.
  metadata->configuration.try_emplace(std::string(kIdColumn), "_row-id-col-" + RandomUuid());
  metadata->configuration.try_emplace(std::string(kVersionColumn),
                                      "_row-commit-version-col-" + RandomUuid());
  return Status::Ok();
}

}  // namespace

Status FulfilDuties(store::FileStore& table, const std::shared_ptr<const Snapshot>& base,
                    CommitInfo* info, std::vector<Action>* actions) {
  // A pointer into the actions does not outlive one that is added.
  FRESHET_CHECK_OK(TrackRows(base.get(), AfterOf(base.get(), actions), actions));
  return Stamp(table, base.get(), AfterOf(base.get(), actions), info, actions);
}

}  // namespace freshet::delta
