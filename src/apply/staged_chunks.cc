// SPDX-License-Identifier: Apache-2.0
#include "apply/staged_chunks.h"

#include "apply/key_hash.h"
#include "base/limits.h"
#include "delta/stats.h"
#include "parquet/reader.h"

namespace freshet::apply {
namespace {

template <typename T>
bool Is(const T& entry, const record::FlowId& flow, record::Generation generation) {
  return entry.flow == flow && entry.generation == generation;
}

void Take(const staging::Manifest& manifest, const record::FlowId& flow,
          record::Generation generation, StagedChunks* chunks) {
  for (const auto& entry : manifest.entries) {
    if (const auto* part = std::get_if<staging::SnapshotPart>(&entry)) {
      if (Is(*part, flow, generation)) chunks->parts.push_back(*part);
    } else if (const auto* ended = std::get_if<staging::GenerationEnded>(&entry)) {
      if (Is(*ended, flow, generation)) chunks->ended = true;
    }
  }
  chunks->through = manifest.number;
}

/// The part's bytes under a name of the table's own: the same at each try, and no other part's.
std::string DataFileName(const staging::SnapshotPart& part) {
  return fmt::format("part-snapshot-{}-{}-{:016x}.parquet", part.generation.value(), part.chunk,
                     HashPath(part.path));
}

Status CopyPart(const Adoption& adoption, const std::string& from, const std::string& to) {
  if (adoption.root != nullptr) {
    return adoption.root->Copy(adoption.staging_prefix + "/" + from,
                               adoption.table_prefix + "/" + to);
  }
  FRESHET_TRY(auto bytes, adoption.staging->Get(from, 0, -1));
  return adoption.table->Put(to, std::string_view(*bytes), store::If::kAbsent);
}

}  // namespace

Result<StagedChunks> ScanChunks(staging::StagingReader* staging, const record::TableId& table,
                                const record::FlowId& flow, record::Generation generation,
                                record::SegmentNumber after, record::SegmentNumber through) {
  StagedChunks chunks;
  chunks.through = after;
  while (chunks.through < through) {
    auto listed = staging->List(chunks.through, limits::kApplySegmentsMax);
    if (listed.status().Is(ErrorClass::STAGING_EXPIRED)) {
      FRESHET_TRY(auto behind, staging->PastGap(table, chunks.through));
      chunks.through = std::min(behind, through);
      continue;
    }
    FRESHET_TRY(auto manifests, std::move(listed));
    if (manifests.empty()) break;
    for (const auto& manifest : manifests) {
      if (manifest->number > through || chunks.ended) return chunks;
      if (chunks.parts.size() >= limits::kApplyPartsMax) return chunks;
      Take(*manifest, flow, generation, &chunks);
    }
  }
  return chunks;
}

Result<StagedChunks> ScanAllChunks(staging::StagingReader* staging,
                                   const staging::GenerationBegun& begun,
                                   record::SegmentNumber through) {
  StagedChunks all;
  all.through = record::SegmentNumber(begun.first_segment.value() - 1);
  while (!all.ended && all.through < through) {
    FRESHET_TRY(auto some, ScanChunks(staging, begun.table, begun.flow, begun.generation,
                                      all.through, through));
    if (some.through == all.through) break;
    all.through = some.through;
    all.ended = some.ended;
    all.parts.insert(all.parts.end(), some.parts.begin(), some.parts.end());
  }
  return all;
}

Result<record::TableShape> FindShape(staging::StagingReader* staging,
                                     const staging::GenerationBegun& begun,
                                     const staging::TableState& newest) {
  if (newest.shape && newest.shape->version == begun.shape_version) return *newest.shape;
  // A folder's first manifest holds the state before it: go back folder by folder.
  int64_t folder = begun.first_segment.value() / limits::kManifestsPerFolder;
  for (; folder >= 0; --folder) {
    record::SegmentNumber at(std::max<int64_t>(folder * limits::kManifestsPerFolder, 1) - 1);
    int64_t end = (folder + 2) * limits::kManifestsPerFolder;
    std::optional<record::TableShape> first;
    while (at.value() < end) {
      FRESHET_TRY(auto manifests, staging->List(at, limits::kApplySegmentsMax));
      if (manifests.empty()) break;
      for (const auto& manifest : manifests) {
        if (manifest->checkpoint) {
          auto table = manifest->checkpoint->tables.find(begun.table);
          if (table != manifest->checkpoint->tables.end()) first = table->second.shape;
          if (first && first->version == begun.shape_version) return *first;
        }
        for (const auto& entry : manifest->entries) {
          const auto* noted = std::get_if<staging::ShapeNoted>(&entry);
          if (noted != nullptr && noted->shape.id == begun.table &&
              noted->shape.version == begun.shape_version) {
            return noted->shape;
          }
        }
        at = manifest->number;
      }
    }
    if (!first) break;
  }
  return Error(ErrorClass::STAGING_EXPIRED, "no segment knows shape {} of table {}",
               begun.shape_version, begun.table.value());
}

Result<delta::AddFile> AdoptPart(const Adoption& adoption, const staging::SnapshotPart& part,
                                 const std::vector<delta::Column>& columns, int64_t now_ms) {
  delta::AddFile add;
  add.path = DataFileName(part);
  Status copied = CopyPart(adoption, part.path, add.path);
  if (copied.Is(ErrorClass::NOT_FOUND)) {
    return Error(ErrorClass::STAGING_EXPIRED, "a snapshot part is no longer in staging: {}",
                 part.path);
  }
  if (!copied.ok() && !copied.Is(ErrorClass::ALREADY_EXISTS)) return copied;
  FRESHET_TRY(auto info, adoption.table->Stat(add.path));
  FRESHET_TRY(auto reader, parquet::Reader::Open(adoption.table, add.path));
  FRESHET_TRY(auto statistics, reader->Statistics());
  if (info.bytes != part.bytes || statistics.rows != part.rows) {
    return Error(ErrorClass::STAGING_CORRUPT, "a snapshot part is not what its manifest says: {}",
                 part.path);
  }
  add.bytes = info.bytes;
  add.modified_at_ms = now_ms;
  add.stats_json = delta::StatsJson(statistics, columns, /*tight_bounds=*/true);
  return add;
}

}  // namespace freshet::apply
