// SPDX-License-Identifier: Apache-2.0
#include "staging/expiry.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

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

Result<Folder> ReadFolder(store::FileStore& store, int64_t number) {
  FRESHET_TRY(auto files, store.List(FolderPath(kSegmentsFolder, number), "", kAll));
  Folder folder{.number = number, .segments = {}};
  for (const auto& file : files) {
    std::optional<SegmentNumber> segment = NumberInPath(file.path);
    if (segment) folder.segments.push_back(*segment);
  }
  return folder;
}

/// The last segment every registered reader is past; without readers nothing is held back.
Result<SegmentNumber> LowestFloor(store::FileStore& store) {
  FRESHET_TRY(auto readers, ListReaders(store));
  SegmentNumber floor(std::numeric_limits<int64_t>::max());
  for (const auto& reader : readers) floor = std::min(floor, reader.floor);
  return floor;
}

/// Folder by folder: there may be very many files.
Result<int64_t> BytesBelow(store::FileStore& store, std::string_view top) {
  FRESHET_TRY(auto files, store.List(top, "", kAll));
  int64_t bytes = 0;
  for (const auto& file : files) {
    if (!file.path.ends_with('/')) {
      bytes += file.bytes;
      continue;
    }
    FRESHET_TRY(int64_t below,
                BytesBelow(store, std::string_view(file.path).substr(0, file.path.size() - 1)));
    bytes += below;
  }
  return bytes;
}

/// Bytes of packs and parts together; counted only where there is a limit to them.
Result<int64_t> BytesHeld(store::FileStore& store, int64_t bytes_max) {
  if (bytes_max == std::numeric_limits<int64_t>::max()) return 0;
  FRESHET_TRY(int64_t packs, BytesBelow(store, kPacksFolder));
  FRESHET_TRY(int64_t parts, BytesBelow(store, kPartsFolder));
  return packs + parts;
}

/// Return the bytes of the packs and parts that went.
Result<int64_t> RemoveFolder(store::FileStore& store, std::string_view staging_id,
                             const Folder& folder) {
  // All packs of the folder, those too that a fenced writer left after the sweep; the manifests
  // last, for they name what else is to go.
  int64_t bytes = 0;
  FRESHET_TRY(auto packs, store.List(FolderPath(kPacksFolder, folder.number), "", kAll));
  for (const auto& pack : packs) {
    FRESHET_CHECK_OK(store.Remove(pack.path));
    bytes += pack.bytes;
  }
  for (SegmentNumber segment : folder.segments) {
    FRESHET_TRY(auto manifest, ReadManifest(store, staging_id, segment));
    for (const Entry& entry : manifest->entries) {
      const auto* part = std::get_if<SnapshotPart>(&entry);
      if (part == nullptr) continue;
      FRESHET_CHECK_OK(store.Remove(part->path));
      bytes += part->bytes;
    }
    FRESHET_CHECK_OK(store.Remove(ManifestPath(segment)));
  }
  return bytes;
}

/// Remove the parts of a flow's generations before `kept`: segments that named them have expired,
/// and some were never named, as those of a gateway that crashed, or that others had fenced.
Status RemovePartsBefore(store::FileStore& store, const FlowId& flow, const TableId& table,
                         Generation kept) {
  FRESHET_TRY(auto folders, store.List(FlowPath(flow, table), "", kAll));
  for (const auto& folder : folders) {
    std::optional<int64_t> number = LeadingNumber(folder.path);
    if (!number || *number >= kept.value()) continue;
    FRESHET_TRY(auto parts, store.List(GenerationPath(flow, table, Generation(*number)), "", kAll));
    for (const auto& part : parts) FRESHET_CHECK_OK(store.Remove(part.path));
  }
  return Status::Ok();
}

/// A segment that is kept names parts of the generations that the flows' rows came from before the
/// oldest one of all, or of later ones.
Status RemoveUnnamedParts(store::FileStore& store, std::string_view staging_id,
                          SegmentNumber oldest) {
  FRESHET_TRY(auto manifest, ReadManifest(store, staging_id, oldest));
  if (!manifest->checkpoint) return Status::Ok();
  for (const auto& [table, state] : manifest->checkpoint->tables) {
    for (const auto& [flow, generation] : state.generations)
      FRESHET_CHECK_OK(RemovePartsBefore(store, flow, table, generation.whole().generation));
  }
  return Status::Ok();
}

}  // namespace

Result<StagingWriter::Expired> ExpireSegments(store::FileStore& store, std::string_view staging_id,
                                              const StagingWriter::ExpiryRules& rules,
                                              UtcMicros now) {
  StagingWriter::Expired expired;
  FRESHET_TRY(auto numbers, ListFolders(store, kSegmentsFolder));
  FRESHET_TRY(SegmentNumber floor, LowestFloor(store));
  if (rules.keep_from) floor = std::min(floor, SegmentNumber(rules.keep_from->value() - 1));
  FRESHET_TRY(int64_t bytes, BytesHeld(store, rules.bytes_max));
  // A folder goes only when a later one holds a full checkpoint.
  std::optional<Folder> oldest;
  for (int64_t number : numbers) {
    FRESHET_TRY(Folder folder, ReadFolder(store, number));
    if (folder.segments.empty()) continue;
    if (!oldest) {
      expired.through = SegmentNumber(folder.segments.front().value() - 1);
      oldest = std::move(folder);
      continue;
    }
    SegmentNumber last = oldest->segments.back();
    FRESHET_TRY(auto manifest, ReadManifest(store, staging_id, last));
    int64_t age = now - manifest->sealed_at;
    bool unneeded = age >= rules.retention.count() && last <= floor;
    bool beyond = bytes > rules.bytes_max || age >= rules.age_max.count();
    if (!unneeded && !beyond) break;
    FRESHET_TRY(int64_t removed, RemoveFolder(store, staging_id, *oldest));
    bytes -= removed;
    expired.through = last;
    expired.segments += std::ssize(oldest->segments);
    expired.forced = expired.forced || last > floor;
    oldest = std::move(folder);
  }
  if (expired.segments > 0)
    FRESHET_CHECK_OK(RemoveUnnamedParts(store, staging_id, oldest->segments.front()));
  return expired;
}

}  // namespace freshet::staging
