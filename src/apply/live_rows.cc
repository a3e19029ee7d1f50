// SPDX-License-Identifier: Apache-2.0
#include "apply/live_rows.h"

#include <algorithm>

#include "apply/key_hash.h"
#include "base/limits.h"
#include "delta/stats.h"
#include "parquet/reader.h"

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

Status FilePaths::Add(const std::string& path, const delta::Snapshot& snapshot) {
  auto [known, fresh] = paths_.try_emplace(HashPath(path), path);
  if (fresh || known->second == path) return Status::Ok();
  if (snapshot.files.contains(known->second)) {
    return Error(ErrorClass::INTERNAL, "two data files have one hash: {} and {}", path,
                 known->second);
  }
  known->second = path;
  return Status::Ok();
}

Status FilePaths::Follow(const delta::Snapshot& snapshot) {
  // Most of what is known may have gone meanwhile.
  if (version_ == snapshot.version && paths_.size() < 1024 + 2 * snapshot.files.size())
    return Status::Ok();
  version_ = -1;
  paths_.clear();
  for (const auto& [path, file] : snapshot.files) FRESHET_CHECK_OK(Add(path, snapshot));
  version_ = snapshot.version;
  return Status::Ok();
}

Status FilePaths::Follow(const delta::Snapshot& snapshot, const std::vector<std::string>& added) {
  if (std::exchange(version_, -1) != snapshot.version - 1) return Status::Ok();
  for (const auto& path : added) FRESHET_CHECK_OK(Add(path, snapshot));
  version_ = snapshot.version;
  return Status::Ok();
}

const std::string* FilePaths::Find(uint64_t hash) const {
  auto found = paths_.find(hash);
  return found == paths_.end() ? nullptr : &found->second;
}

void LiveRows::Add(delta::AddFile file) {
  const delta::AddFile& added = added_.emplace_back(std::move(file));
  files_[HashPath(added.path)] = {.add = &added, .fresh = true, .dead = {}};
}

Result<LiveRows::File*> LiveRows::Get(uint64_t hash) {
  auto [place, first] = files_.try_emplace(hash);
  File& file = place->second;
  if (!first) return &file;
  const std::string* path = paths_->Find(hash);
  if (path == nullptr) return &file;
  auto live = snapshot_->files.find(*path);
  if (live == snapshot_->files.end()) return &file;
  if (live->second.deletion_vector) {
    auto dead = delta::DeletionVector::Load(*table_, *live->second.deletion_vector);
    if (!dead.ok()) {
      files_.erase(place);
      return dead.status();
    }
    file.dead = std::move(*dead);
  }
  file.add = &live->second;
  return &file;
}

Result<const delta::AddFile*> LiveRows::Find(const RowAddress& address) {
  FRESHET_TRY(const File* file, Get(address.file));
  if (all_dead_ && !file->fresh) return static_cast<const delta::AddFile*>(nullptr);
  return file->dead.Contains(address.row) ? nullptr : file->add;
}

std::vector<const delta::AddFile*> LiveRows::Files() const {
  std::vector<const delta::AddFile*> files;
  for (const auto& [path, file] : snapshot_->files) {
    if (!all_dead_) files.push_back(&file);
  }
  for (const auto& file : added_) files.push_back(&file);
  return files;
}

void LiveRows::Kill(const RowAddress& address) {
  File& file = files_.at(address.file);
  FRESHET_ASSERT(file.add != nullptr);
  file.dead.Add(address.row);
  file.touched = true;
}

int64_t LiveRows::KillAll() {
  all_dead_ = true;
  int64_t rows = 0;
  for (const auto& [path, file] : snapshot_->files) {
    int64_t of_file = delta::RowsOf(file.stats_json);
    int64_t dead = file.deletion_vector ? file.deletion_vector->cardinality : 0;
    if (of_file > dead) rows += of_file - dead;
  }
  return rows;
}

/// How many rows a file has, dead ones included; other writers may leave that to the file itself.
Result<int64_t> LiveRows::RowsOf(const delta::AddFile& file) {
  int64_t rows = delta::RowsOf(file.stats_json);
  if (rows >= 0) return rows;
  FRESHET_TRY(auto reader, parquet::Reader::Open(table_, file.path));
  return reader->rows();
}

std::vector<LiveRows::File*> LiveRows::Touched() {
  std::vector<File*> touched;
  for (auto& [hash, file] : files_) {
    if (file.touched) touched.push_back(&file);
  }
  std::sort(touched.begin(), touched.end(),
            [](const File* a, const File* b) { return a->add->path < b->add->path; });
  return touched;
}

bool LiveRows::marks_rows() const {
  return !all_dead_ &&
         std::ranges::any_of(files_, [](const auto& file) { return file.second.touched; });
}

Result<int64_t> LiveRows::CountFates() {
  int64_t count = 0;
  for (const File* file : Touched()) {
    if (file->fresh) continue;
    const auto& before = file->add->deletion_vector;
    count += file->dead.cardinality() - (before ? before->cardinality : 0);
  }
  for (const auto& add : added_) {
    FRESHET_TRY(const int64_t rows, RowsOf(add));
    count += rows - files_.at(HashPath(add.path)).dead.cardinality();
  }
  return count;
}

namespace {

/// Hand rows over once there are enough of them.
Status TellFull(const LiveRows::Tell& tell, const delta::AddFile& file, bool came,
                std::vector<int64_t>* rows) {
  if (std::ssize(*rows) < limits::kApplyRowsMax) return Status::Ok();
  FRESHET_CHECK_OK(tell(file, came, *rows));
  rows->clear();
  return Status::Ok();
}

}  // namespace

Status LiveRows::EachFate(const Tell& tell) {
  std::vector<int64_t> rows;
  for (const File* file : Touched()) {
    if (file->fresh) continue;
    delta::DeletionVector before;
    if (file->add->deletion_vector) {
      FRESHET_TRY(before, delta::DeletionVector::Load(*table_, *file->add->deletion_vector));
    }
    rows.clear();
    for (const auto row : file->dead.Minus(before)) {
      rows.push_back(static_cast<int64_t>(row));
      FRESHET_CHECK_OK(TellFull(tell, *file->add, /*came=*/false, &rows));
    }
    if (!rows.empty()) FRESHET_CHECK_OK(tell(*file->add, /*came=*/false, rows));
  }
  for (const auto& add : added_) {
    const File& file = files_.at(HashPath(add.path));
    FRESHET_TRY(const int64_t count, RowsOf(add));
    rows.clear();
    for (int64_t row = 0; row < count; ++row) {
      if (file.dead.Contains(static_cast<uint64_t>(row))) continue;
      rows.push_back(row);
      FRESHET_CHECK_OK(TellFull(tell, add, /*came=*/true, &rows));
    }
    if (!rows.empty()) FRESHET_CHECK_OK(tell(add, /*came=*/true, rows));
  }
  return Status::Ok();
}

Result<std::vector<LiveRows::Torn>> LiveRows::TakeTorn() {
  std::vector<Torn> torn;
  for (File* file : Touched()) {
    FRESHET_TRY(const int64_t rows, RowsOf(*file->add));
    if (file->dead.cardinality() == rows) continue;
    file->torn = true;
    torn.push_back({*file->add, file->dead});
  }
  return torn;
}

Result<std::vector<delta::Action>> LiveRows::ToActions(int64_t now_ms) {
  std::vector<delta::Action> actions;
  if (all_dead_) {
    for (const auto& [path, add] : snapshot_->files) actions.emplace_back(RemoveOf(add, now_ms));
  }
  std::vector<delta::AddFile> adds;
  std::vector<delta::DeletionVector> vectors;
  for (File* file : Touched()) {
    if (!file->fresh) actions.emplace_back(RemoveOf(*file->add, now_ms));
    FRESHET_TRY(const int64_t rows, RowsOf(*file->add));
    if (file->torn || file->dead.cardinality() == rows) continue;
    adds.push_back(*file->add);
    // A file with a vector has to say how many rows it has.
    if (delta::RowsOf(adds.back().stats_json) < 0)
      adds.back().stats_json = fmt::format(R"({{"numRecords":{}}})", rows);
    vectors.push_back(std::move(file->dead));
  }
  for (const auto& add : added_) {
    if (!files_.at(HashPath(add.path)).touched) actions.emplace_back(add);
  }
  if (adds.empty()) return actions;
  FRESHET_TRY(auto descriptors, delta::DeletionVector::Write(*table_, vectors));
  for (size_t i = 0; i < adds.size(); ++i) {
    adds[i].deletion_vector = std::move(descriptors[i]);
    adds[i].stats_json = delta::WithoutTightBounds(adds[i].stats_json);
    adds[i].data_change = true;
    actions.emplace_back(std::move(adds[i]));
  }
  return actions;
}

}  // namespace freshet::apply
