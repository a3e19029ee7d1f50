// SPDX-License-Identifier: Apache-2.0
#include "staging/expiry.h"

#include <algorithm>
#include <limits>

#include "staging/layout.h"
#include "staging/state.h"
#include "staging/wishes.h"

namespace freshet::staging {
namespace {

constexpr int kAll = std::numeric_limits<int>::max();

/// A folder of manifests that still has some.
struct Folder {
  int64_t number = 0;
  std::vector<SegmentNumber> segments;
};

Result<std::vector<Folder>> FoldersWithSegments(store::FileStore& store) {
  FRESHET_TRY(auto numbers, ListFolders(store, kSegmentsFolder));
  std::vector<Folder> folders;
  for (int64_t number : numbers) {
    FRESHET_TRY(auto files, store.List(FolderPath(kSegmentsFolder, number), "", kAll));
    Folder folder{.number = number, .segments = {}};
    for (const auto& file : files) {
      std::optional<SegmentNumber> segment = NumberInPath(file.path);
      if (segment) folder.segments.push_back(*segment);
    }
    if (!folder.segments.empty()) folders.push_back(std::move(folder));
  }
  return folders;
}

/// The last segment every registered reader is past; without readers nothing is held back.
Result<SegmentNumber> LowestFloor(store::FileStore& store) {
  FRESHET_TRY(auto readers, ListReaders(store));
  SegmentNumber floor(std::numeric_limits<int64_t>::max());
  for (const auto& reader : readers) floor = std::min(floor, reader.floor);
  return floor;
}

Result<int64_t> BytesBelow(store::FileStore& store, std::string_view top) {
  FRESHET_TRY(auto files, store.List(top, "", kAll, /*recursive=*/true));
  int64_t bytes = 0;
  for (const auto& file : files) bytes += file.bytes;
  return bytes;
}

Result<bool> AboveBytes(store::FileStore& store, int64_t bytes_max) {
  if (bytes_max == std::numeric_limits<int64_t>::max()) return false;
  FRESHET_TRY(int64_t packs, BytesBelow(store, kPacksFolder));
  FRESHET_TRY(int64_t parts, BytesBelow(store, kPartsFolder));
  return packs + parts > bytes_max;
}

Status RemoveFolder(store::FileStore& store, std::string_view staging_id, const Folder& folder) {
  for (SegmentNumber segment : folder.segments) {
    FRESHET_TRY(auto manifest, ReadManifest(store, staging_id, segment));
    for (const std::string& pack : manifest->packs) FRESHET_CHECK_OK(store.Remove(pack));
    for (const Entry& entry : manifest->entries) {
      if (const auto* part = std::get_if<SnapshotPart>(&entry))
        FRESHET_CHECK_OK(store.Remove(part->path));
    }
    FRESHET_CHECK_OK(store.Remove(ManifestPath(segment)));
  }
  // Packs that a fenced writer left after the sweep.
  FRESHET_TRY(auto packs, store.List(FolderPath(kPacksFolder, folder.number), "", kAll));
  for (const auto& pack : packs) FRESHET_CHECK_OK(store.Remove(pack.path));
  return Status::Ok();
}

}  // namespace

Result<StagingWriter::Expired> ExpireSegments(store::FileStore& store, std::string_view staging_id,
                                              const StagingWriter::ExpiryRules& rules,
                                              UtcMicros now) {
  StagingWriter::Expired expired;
  FRESHET_TRY(auto folders, FoldersWithSegments(store));
  FRESHET_TRY(SegmentNumber floor, LowestFloor(store));
  if (folders.empty()) return expired;
  expired.through = SegmentNumber(folders.front().segments.front().value() - 1);
  folders.pop_back();  // the newest full checkpoint's
  for (const Folder& folder : folders) {
    SegmentNumber last = folder.segments.back();
    FRESHET_TRY(auto manifest, ReadManifest(store, staging_id, last));
    int64_t age = now - manifest->sealed_at;
    FRESHET_TRY(bool full, AboveBytes(store, rules.bytes_max));
    bool unneeded = age >= rules.retention.count() && last <= floor;
    bool beyond = full || age >= rules.age_max.count();
    if (!unneeded && !beyond) break;
    FRESHET_CHECK_OK(RemoveFolder(store, staging_id, folder));
    expired.through = last;
    expired.segments += static_cast<int64_t>(folder.segments.size());
    expired.forced = expired.forced || last > floor;
  }
  return expired;
}

}  // namespace freshet::staging
