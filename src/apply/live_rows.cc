// SPDX-License-Identifier: Apache-2.0
#include "apply/live_rows.h"

#include <algorithm>

#include "apply/key_hash.h"
#include "delta/stats.h"

namespace freshet::apply {

delta::RemoveFile RemoveOf(const delta::AddFile& file, int64_t now_ms) {
  delta::RemoveFile remove;
  remove.path = file.path;
  remove.deleted_at_ms = now_ms;
  remove.data_change = true;
  remove.partition_values = file.partition_values;
  remove.bytes = file.bytes;
  remove.deletion_vector = file.deletion_vector;
  remove.base_row_id = file.base_row_id;
  remove.default_row_commit_version = file.default_row_commit_version;
  return remove;
}

Result<LiveRows> LiveRows::Of(std::shared_ptr<store::FileStore> table,
                              std::shared_ptr<const delta::Snapshot> snapshot) {
  LiveRows rows;
  rows.table_ = std::move(table);
  rows.snapshot_ = std::move(snapshot);
  rows.files_.reserve(rows.snapshot_->files.size());
  for (const auto& [path, add] : rows.snapshot_->files) {
    File& file = rows.files_[HashPath(path)];
    if (file.add != nullptr) {
      return Error(ErrorClass::INTERNAL, "two data files have one hash: {} and {}", path,
                   file.add->path);
    }
    file.add = &add;
  }
  return rows;
}

Status LiveRows::Load(File* file) {
  if (file->loaded) return Status::Ok();
  if (file->add->deletion_vector) {
    FRESHET_TRY(file->dead, delta::DeletionVector::Load(*table_, *file->add->deletion_vector));
  }
  file->loaded = true;
  return Status::Ok();
}

Result<const delta::AddFile*> LiveRows::Find(const RowAddress& address) {
  auto found = files_.find(address.file);
  if (found == files_.end()) return static_cast<const delta::AddFile*>(nullptr);
  FRESHET_CHECK_OK(Load(&found->second));
  return found->second.dead.Contains(address.row) ? nullptr : found->second.add;
}

void LiveRows::Kill(const RowAddress& address) {
  File& file = files_.at(address.file);
  FRESHET_ASSERT(file.loaded);
  file.dead.Add(address.row);
  file.touched = true;
}

Result<int64_t> LiveRows::KillAll() {
  all_dead_ = true;
  int64_t rows = 0;
  for (const auto& [hash, file] : files_) {
    int64_t of_file = delta::RowsOf(file.add->stats_json);
    int64_t dead = file.add->deletion_vector ? file.add->deletion_vector->cardinality : 0;
    if (of_file > dead) rows += of_file - dead;
  }
  return rows;
}

Result<std::vector<delta::Action>> LiveRows::ToActions(int64_t now_ms) {
  std::vector<delta::Action> actions;
  std::vector<const delta::AddFile*> adds;
  std::vector<delta::DeletionVector> vectors;
  for (const auto& [path, add] : snapshot_->files) {
    File& file = files_.at(HashPath(path));
    if (!file.touched && !all_dead_) continue;
    actions.emplace_back(RemoveOf(add, now_ms));
    if (all_dead_ || file.dead.cardinality() == delta::RowsOf(add.stats_json)) continue;
    adds.push_back(&add);
    vectors.push_back(file.dead);
  }
  if (adds.empty()) return actions;
  FRESHET_TRY(auto descriptors, delta::DeletionVector::Write(*table_, vectors));
  for (size_t i = 0; i < adds.size(); ++i) {
    delta::AddFile add = *adds[i];
    add.deletion_vector = descriptors[i];
    add.stats_json = delta::WithoutTightBounds(add.stats_json);
    add.data_change = true;
    actions.emplace_back(std::move(add));
  }
  return actions;
}

}  // namespace freshet::apply
