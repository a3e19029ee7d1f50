// SPDX-License-Identifier: Apache-2.0
#include "delta/replay.h"

#include <algorithm>
#include <charconv>

#include "delta/action_json.h"
#include "delta/protocol.h"
#include "delta/retention.h"

namespace freshet::delta {
namespace {

/// Ascending keys are ascending times.
std::string AgeOf(const std::string& key, const RemoveFile& remove) {
  return fmt::format("{:020}#{}", std::max<int64_t>(remove.deleted_at_ms.value_or(0), 0), key);
}
int64_t TimeOf(std::string_view age) {
  int64_t time = 0;
  std::from_chars(age.data(), age.data() + 20, time);
  return time;
}

void Forget(const std::string& key, Snapshot* snapshot) {
  auto known = snapshot->tombstones.find(key);
  if (known == snapshot->tombstones.end()) return;
  snapshot->tombstone_ages.erase(AgeOf(key, known->second));
  snapshot->tombstones.erase(key);
}

}  // namespace

Replay::Replay(const std::shared_ptr<const Snapshot>& base)
    : state_(base != nullptr ? std::make_shared<Snapshot>(*base) : std::make_shared<Snapshot>()) {}

void Replay::Add(AddFile add) {
  // In a state the flag says nothing (a checkpoint has none set): true, so that an action made from
  // it changes data.
  add.data_change = true;
  Forget(add.path + '#' + UniqueId(add.deletion_vector), state_.get());
  std::string path = add.path;
  state_->files.insert_or_assign(std::move(path), std::move(add));
}

void Replay::Remove(RemoveFile remove) {
  // Only this logical file goes: the same path with another vector may stand in the same commit,
  // before or after.
  const std::string id = UniqueId(remove.deletion_vector);
  auto live = state_->files.find(remove.path);
  if (live != state_->files.end() && UniqueId(live->second.deletion_vector) == id)
    state_->files.erase(remove.path);
  remove.data_change = true;
  const std::string key = remove.path + '#' + id;
  Forget(key, state_.get());
  state_->tombstone_ages.insert_or_assign(AgeOf(key, remove), true);
  state_->tombstones.insert_or_assign(key, std::move(remove));
}

void Replay::Apply(std::vector<Action> actions) {
  state_->commit_time_ms.reset();
  for (auto& action : actions) {
    if (auto* add = std::get_if<AddFile>(&action)) {
      Add(std::move(*add));
    } else if (auto* remove = std::get_if<RemoveFile>(&action)) {
      Remove(std::move(*remove));
    } else if (auto* txn = std::get_if<Txn>(&action)) {
      state_->txns[txn->app_id] = *txn;
    } else if (auto* metadata = std::get_if<Metadata>(&action)) {
      state_->metadata = std::move(*metadata);
      metadata_changed_ = true;
    } else if (auto* protocol = std::get_if<Protocol>(&action)) {
      state_->protocol = std::move(*protocol);
      metadata_changed_ = true;
    } else if (auto* info = std::get_if<CommitInfo>(&action)) {
      state_->commit_time_ms = info->in_commit_at_ms;
    } else if (auto* domain = std::get_if<DomainMetadata>(&action)) {
      if (domain->removed) {
        state_->domains.erase(domain->domain);
      } else {
        state_->domains[domain->domain] = *domain;
      }
    }
  }
}

Result<std::shared_ptr<const Snapshot>> Replay::Finish(int64_t version,
                                                       int64_t checkpoint_version) {
  state_->version = version;
  state_->checkpoint_version = checkpoint_version;
  if (state_->metadata.schema_json.empty()) {
    return Error(ErrorClass::DELTA_CORRUPT, "the log has no metadata up to version {}", version);
  }
  if (metadata_changed_) {
    FRESHET_CHECK_OK(CheckReadable(state_->protocol, state_->metadata));
    FRESHET_TRY(state_->columns, ColumnsFromJson(state_->metadata.schema_json));
    if (!state_->column_mapping()) {
      for (auto& column : state_->columns) column.physical = column.name;
    }
  }
  DropExpired(state_.get());
  return std::shared_ptr<const Snapshot>(std::move(state_));
}

void DropExpired(Snapshot* snapshot) {
  const int64_t retention = DeletedFileRetentionMs(snapshot->metadata);
  while (!snapshot->tombstone_ages.empty()) {
    const std::string oldest = snapshot->tombstone_ages.begin()->first;
    if (retention >= TimeOf(snapshot->tombstone_ages.back().first) - TimeOf(oldest)) return;
    snapshot->tombstones.erase(oldest.substr(21));
    snapshot->tombstone_ages.erase(oldest);
  }
}

}  // namespace freshet::delta
