// SPDX-License-Identifier: Apache-2.0
#include "delta/cleanup.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <unordered_set>

#include "delta/deletion_vector.h"
#include "delta/log.h"
#include "delta/retention.h"

namespace freshet::delta {
namespace {

constexpr int kListPage = 10'000;
constexpr std::string_view kChangeFolder = "_change_data/";

using Visit = std::function<Status(const store::FileInfo&)>;

Status ForEach(store::FileStore& table, std::string_view folder, bool recursive,
               const Visit& visit) {
  std::string after;
  while (true) {
    FRESHET_TRY(const auto page, table.List(folder, after, kListPage, recursive));
    for (const auto& file : page) FRESHET_CHECK_OK(visit(file));
    if (page.size() < static_cast<size_t>(kListPage)) return Status::Ok();
    after = page.back().path;
  }
}

/// The moment before which a file has outlived its retention; nothing: none has.
Result<std::optional<UtcMicros>> CutBefore(store::FileStore& table, int64_t version,
                                           int64_t retention_ms) {
  FRESHET_TRY(const auto newest, table.Stat(CommitPath(version)));
  if (retention_ms >= newest.modified_at / 1000) return std::optional<UtcMicros>();
  return std::optional(newest.modified_at - retention_ms * 1000);
}

bool IsHidden(std::string_view name) { return name.starts_with('_') || name.starts_with('.'); }

/// A name that a data file or a vector has.
bool IsTables(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return !IsHidden(name) && (name.ends_with(".parquet") ||
                             (name.starts_with("deletion_vector_") && name.ends_with(".bin")));
}

class Needed {
 public:
  explicit Needed(const Snapshot& snapshot) {
    for (const auto& [path, add] : snapshot.files) Add(path, add.deletion_vector);
    for (const auto& [key, remove] : snapshot.tombstones) Add(remove.path, remove.deletion_vector);
  }
  bool Has(const std::string& path) const { return paths_.contains(path); }

 private:
  void Add(const std::string& path, const std::optional<DeletionVectorDescriptor>& vector) {
    paths_.insert(path);
    if (!vector) return;
    if (auto stored = StoredPath(*vector)) paths_.insert(*stored);
  }
  std::unordered_set<std::string> paths_;
};

Status Remove(store::FileStore& table, const std::vector<store::FileInfo>& files,
              Cleaned* cleaned) {
  for (const auto& file : files) {
    FRESHET_CHECK_OK(table.Remove(file.path));
    ++cleaned->files;
    cleaned->bytes += file.bytes;
  }
  return Status::Ok();
}

/// The log's files in the order of their versions.
struct OldLog {
  std::vector<std::pair<int64_t, store::FileInfo>> files;
  int64_t first_young = INT64_MAX;  // the oldest version from which on some commit is young
};

Result<OldLog> ReadOldLog(store::FileStore& table, UtcMicros cut) {
  OldLog log;
  FRESHET_CHECK_OK(ForEach(table, kLogFolder, false, [&](const store::FileInfo& file) {
    const auto version = LogVersion(file.path);
    if (!version) return Status::Ok();
    log.files.emplace_back(*version, file);
    if (file.path == CommitPath(*version) && file.modified_at >= cut)
      log.first_young = std::min(log.first_young, *version);
    return Status::Ok();
  }));
  std::stable_sort(log.files.begin(), log.files.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return log;
}

}  // namespace

Result<Cleaned> Vacuum(store::FileStore& table, const Snapshot& snapshot) {
  FRESHET_TRY(const auto cut,
              CutBefore(table, snapshot.version, DeletedFileRetentionMs(snapshot.metadata)));
  Cleaned cleaned;
  if (!cut) return cleaned;
  const Needed needed(snapshot);
  std::vector<store::FileInfo> gone;
  auto judge = [&](const store::FileInfo& file) {
    if (IsTables(file.path) && file.modified_at < *cut && !needed.Has(file.path))
      gone.push_back(file);
    return Status::Ok();
  };
  std::vector<std::string> folders;
  FRESHET_CHECK_OK(ForEach(table, "", false, [&](const store::FileInfo& file) {
    if (!file.path.ends_with('/')) return judge(file);
    // No state names the files of the feed: they are of their version, and kept as long.
    if (!IsHidden(file.path) || file.path == kChangeFolder)
      folders.push_back(file.path.substr(0, file.path.size() - 1));
    return Status::Ok();
  }));
  for (const auto& folder : folders) FRESHET_CHECK_OK(ForEach(table, folder, true, judge));
  FRESHET_CHECK_OK(Remove(table, gone, &cleaned));
  return cleaned;
}

Result<Cleaned> CleanLog(store::FileStore& table, const Snapshot& snapshot) {
  FRESHET_TRY(const auto cut,
              CutBefore(table, snapshot.version, LogRetentionMs(snapshot.metadata)));
  Cleaned cleaned;
  if (!cut) return cleaned;
  FRESHET_TRY(const auto old, ReadOldLog(table, *cut));
  FRESHET_TRY(const auto log, ListLog(table, 0));
  // The newest checkpoint that the oldest young version can be read from.
  int64_t keep_from = -1;
  for (const auto& checkpoint : log.checkpoints)
    if (checkpoint.version <= old.first_young) keep_from = checkpoint.version;
  std::vector<store::FileInfo> gone;
  for (const auto& [version, file] : old.files)
    if (version < keep_from) gone.push_back(file);
  FRESHET_CHECK_OK(Remove(table, gone, &cleaned));
  return cleaned;
}

}  // namespace freshet::delta
