// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/chunk_plan.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "base/limits.h"
#include "sources/postgres/block_range.h"

namespace freshet::sources::postgres {
namespace {

constexpr int64_t kReaders = limits::kSnapshotReadersMax;
/// Chunks of one table or partition.
constexpr int64_t kChunksMax = 16 * 1024;
/// A table or partition from here on is shared between the readers.
constexpr int64_t kSharedBytesMin = 16 * limits::kMiB;

int64_t DividedUp(int64_t number, int64_t by) { return (number + by - 1) / by; }

/// How many chunks a leaf is worth: what lies out of line counts, else a chunk of a table with
/// large values would be many times the work that a crash may cost. As many for each reader, so
/// that no reader ends long before the others.
int64_t ChunksOf(const Extent& leaf) {
  const int64_t blocks = std::max<int64_t>(1, leaf.blocks), bytes = leaf.bytes_per_block();
  auto step = std::max<int64_t>(1, static_cast<int64_t>(limits::kChunkBytesMax) / bytes);
  int64_t chunks = DividedUp(blocks, step);
  if (bytes * blocks >= kSharedBytesMin) chunks = DividedUp(chunks, kReaders) * kReaders;
  // A plan is kept in a manifest: it does not grow with the table.
  return std::min(chunks, kChunksMax);
}

/// How many blocks a chunk covers; all are alike.
int64_t ChunkBlocks(const Extent& leaf, bool ranges) {
  const int64_t chunks = ChunksOf(leaf);
  return DividedUp(std::max<int64_t>(1, leaf.blocks), ranges ? chunks : std::min(chunks, kReaders));
}

Chunk ChunkOf(const Extent& leaf, int64_t first, std::optional<int64_t> end) {
  Chunk chunk;
  chunk.text =
      ToText({.oid = leaf.oid, .first = first, .end = end, .file = leaf.file, .size = leaf.blocks});
  auto blocks = static_cast<double>(std::max<int64_t>(0, end.value_or(leaf.blocks) - first));
  if (leaf.rows_per_block >= 0)
    chunk.rows_estimated = static_cast<int64_t>(leaf.rows_per_block * blocks);
  return chunk;
}

}  // namespace

/// The last chunk of each leaf is open, for the table may have grown between the snapshot and this
/// look at its size. It comes first: what is written meanwhile is in none of the snapshot's rows,
/// but would be looked through.
std::vector<Chunk> PlanChunks(const std::vector<Extent>& leaves, bool ranges) {
  std::vector<Chunk> chunks, closed;
  for (const Extent& leaf : leaves) {
    int64_t step = ChunkBlocks(leaf, ranges), first = 0;
    for (; first + step < leaf.blocks; first += step)
      closed.push_back(ChunkOf(leaf, first, first + step));
    chunks.push_back(ChunkOf(leaf, first, {}));
  }
  std::move(closed.begin(), closed.end(), std::back_inserter(chunks));
  for (size_t i = 0; i < chunks.size(); ++i) chunks[i].number = static_cast<int64_t>(i);
  return chunks;
}

/// A row that nobody touched is still where it was, as long as its table's file is the same one.
/// What the file has grown by since is read too: changed rows go there first, and their changes may
/// not send all of them.
Result<std::optional<std::vector<Chunk>>> PlanRestOf(const std::vector<Extent>& leaves,
                                                     const std::vector<std::string>& plan,
                                                     const std::set<int64_t>& done) {
  std::vector<Chunk> rest;
  std::map<uint32_t, int64_t> read_to;  // by leaf: of those that have no open chunk to be read
  std::set<uint32_t> open;
  for (int64_t number = 0; number < std::ssize(plan); ++number) {
    const std::string& text = plan[static_cast<size_t>(number)];
    FRESHET_TRY(const BlockRange range, BlockRangeFrom(text));
    const auto leaf = std::ranges::find(leaves, range.oid, &Extent::oid);
    if (leaf == leaves.end() || range.file == 0 || leaf->file != range.file)
      return std::optional<std::vector<Chunk>>();
    if (!done.contains(number)) {
      rest.push_back(ChunkOf(*leaf, range.first, range.end));
      rest.back().number = number;
      if (!range.end) open.insert(range.oid);
    } else if (!range.end) {
      read_to[range.oid] = std::max(read_to[range.oid], range.size);
    }
  }
  int64_t number = std::ssize(plan);
  for (const Extent& leaf : leaves) {
    const auto found = read_to.find(leaf.oid);
    if (found == read_to.end() || open.contains(leaf.oid) || leaf.blocks <= found->second) continue;
    rest.push_back(ChunkOf(leaf, found->second, {}));
    rest.back().number = number++;
  }
  return std::optional(std::move(rest));
}

}  // namespace freshet::sources::postgres
