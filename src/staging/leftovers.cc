// SPDX-License-Identifier: Apache-2.0
#include "staging/leftovers.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "staging/layout.h"
#include "staging/state.h"

namespace freshet::staging {
namespace {

constexpr int kAll = std::numeric_limits<int>::max();

/// Remove the packs of one segment but those of `keep`.
Status SweepPacks(store::FileStore& store, SegmentNumber number,
                  const std::vector<std::string>& keep) {
  std::string folder = FolderPath(kPacksFolder, FolderOf(number));
  // In byte order everything of this number follows its bare prefix, and what follows the next
  // number's is none of ours.
  FRESHET_TRY(auto files,
              store.List(folder, fmt::format("{}/{:012}", folder, number.value()), kAll));
  for (const auto& file : files) {
    if (NumberInPath(file.path) != number) break;
    if (std::find(keep.begin(), keep.end(), file.path) == keep.end())
      FRESHET_CHECK_OK(store.Remove(file.path));
  }
  return Status::Ok();
}

Status SweepParts(store::FileStore& store, std::string_view writer_id,
                  const Leftovers::Unended& generation) {
  FRESHET_TRY(auto files,
              store.List(GenerationPath(generation.flow, generation.table, generation.generation),
                         "", kAll));
  for (const auto& file : files) {
    std::optional<int64_t> chunk = LeadingNumber(file.path);
    bool ours = file.path.find(fmt::format("-{}-", writer_id)) != std::string::npos;
    if (ours || !chunk || generation.chunks_done.contains(*chunk)) continue;
    FRESHET_CHECK_OK(store.Remove(file.path));
  }
  return Status::Ok();
}

}  // namespace

Leftovers LeftoversOf(const Checkpoint& state) {
  Leftovers leftovers;
  for (const auto& [table, table_state] : state.tables) {
    for (const auto& [flow, generation] : table_state.generations) {
      if (generation.ended) continue;
      leftovers.generations.push_back({.flow = flow,
                                       .table = table,
                                       .generation = generation.begun.generation,
                                       .chunks_done = generation.chunks_done});
    }
  }
  return leftovers;
}

Status SweepLeftovers(store::FileStore& store, std::string_view staging_id,
                      std::string_view writer_id, SegmentNumber sealed,
                      const Leftovers& leftovers) {
  // The segment before ours may have been sealed by a writer that crashed before it swept.
  for (int64_t number = std::max<int64_t>(1, sealed.value() - 1); number <= sealed.value();
       ++number) {
    auto manifest = ReadManifest(store, staging_id, SegmentNumber(number));
    if (manifest.status().Is(ErrorClass::NOT_FOUND)) continue;
    if (!manifest.ok()) return manifest.status();
    FRESHET_CHECK_OK(SweepPacks(store, SegmentNumber(number), (*manifest)->packs));
  }
  for (const auto& generation : leftovers.generations)
    FRESHET_CHECK_OK(SweepParts(store, writer_id, generation));
  return Status::Ok();
}

}  // namespace freshet::staging
