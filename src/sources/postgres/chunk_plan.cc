// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/chunk_plan.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/limits.h"
#include "sources/postgres/block_range.h"
#include "sources/postgres/key_range.h"

namespace freshet::sources::postgres {
namespace {

constexpr int64_t kReaders = limits::kSnapshotReadersMax;
/// Chunks of one table or partition.
constexpr int64_t kChunksMax = 16 * 1024;
/// A table or partition from here on is shared between the readers.
constexpr int64_t kSharedBytesMin = 16 * limits::kMiB;

int64_t DividedUp(int64_t number, int64_t by) { return (number + by - 1) / by; }

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

/// The chunks of one leaf in their order: the last is open.
std::vector<Chunk> ByBlocks(const Extent& leaf, bool ranges) {
  std::vector<Chunk> chunks;
  int64_t step = ChunkBlocks(leaf, ranges), first = 0;
  for (; first + step < leaf.blocks; first += step)
    chunks.push_back(ChunkOf(leaf, first, first + step));
  chunks.push_back(ChunkOf(leaf, first, {}));
  return chunks;
}

std::vector<Chunk> ByKeys(const Extent& leaf, const KeySplit& split) {
  std::vector<Chunk> chunks;
  for (size_t i = 0; i <= split.bounds.size(); ++i) {
    KeyRange range{.oid = leaf.oid,
                   .column = split.column,
                   .type = split.type,
                   .from = {},
                   .below = {},
                   .file = leaf.file};
    if (i > 0) range.from = split.bounds[i - 1];
    if (i < split.bounds.size()) range.below = split.bounds[i];
    Chunk& chunk = chunks.emplace_back();
    chunk.text = ToText(range);
    if (split.rows >= 0)
      chunk.rows_estimated = std::llround(split.shares[i] * static_cast<double>(split.rows));
  }
  return chunks;
}

/// What is left of an earlier plan, as it is put together.
class Rest {
 public:
  explicit Rest(const std::vector<Extent>& leaves) : leaves_(leaves) {}

  /// Take one chunk of the plan. False: what was read cannot stay.
  bool Take(const BlockRange& range, int64_t number, bool done) {
    const Extent* leaf = LeafOf(range.oid, range.file);
    if (leaf == nullptr) return false;
    if (!done) {
      Add(ChunkOf(*leaf, range.first, range.end), number);
      if (!range.end) open_.insert(range.oid);
    } else if (!range.end) {
      read_to_[range.oid] = std::max(read_to_[range.oid], range.size);
    }
    return true;
  }
  bool Take(const KeyRange& range, int64_t number, bool done) {
    if (LeafOf(range.oid, range.file) == nullptr) return false;
    if (!done) Add({.text = ToText(range)}, number);
    return true;
  }
  /// Add what the files have grown by since.
  void AddGrowth(int64_t number) {
    for (const Extent& leaf : leaves_) {
      const auto found = read_to_.find(leaf.oid);
      if (found == read_to_.end() || open_.contains(leaf.oid) || leaf.blocks <= found->second)
        continue;
      Add(ChunkOf(leaf, found->second, {}), number++);
    }
  }
  std::vector<Chunk> chunks;

 private:
  const Extent* LeafOf(uint32_t oid, uint32_t file) const {
    const auto leaf = std::ranges::find(leaves_, oid, &Extent::oid);
    return leaf == leaves_.end() || file == 0 || leaf->file != file ? nullptr : &*leaf;
  }
  void Add(Chunk chunk, int64_t number) {
    chunk.number = number;
    chunks.push_back(std::move(chunk));
  }

  const std::vector<Extent>& leaves_;
  std::map<uint32_t, int64_t> read_to_;  // by leaf: of those that have no open chunk to be read
  std::set<uint32_t> open_;
};

}  // namespace

/// What lies out of line counts, else a chunk of a table with large values would be many times the
/// work that a crash may cost. As many for each reader, so that no reader ends long before the
/// others.
int64_t ChunksOf(const Extent& leaf) {
  const int64_t blocks = std::max<int64_t>(1, leaf.blocks), bytes = leaf.bytes_per_block();
  auto step = std::max<int64_t>(1, static_cast<int64_t>(limits::kChunkBytesMax) / bytes);
  int64_t chunks = DividedUp(blocks, step);
  if (bytes * blocks >= kSharedBytesMin) chunks = DividedUp(chunks, kReaders) * kReaders;
  // A plan is kept in a manifest: it does not grow with the table.
  return std::min(chunks, kChunksMax);
}

/// The last chunk of each leaf is open, for the table may have grown between the snapshot and this
/// look at its size. It comes first: what is written meanwhile is in none of the snapshot's rows,
/// but would be looked through.
std::vector<Chunk> PlanChunks(const std::vector<Extent>& leaves, bool ranges,
                              const std::map<uint32_t, KeySplit>& splits) {
  std::vector<Chunk> chunks, closed;
  for (const Extent& leaf : leaves) {
    const auto split = splits.find(leaf.oid);
    auto of_leaf = split == splits.end() ? ByBlocks(leaf, ranges) : ByKeys(leaf, split->second);
    chunks.push_back(std::move(of_leaf.back()));
    std::move(of_leaf.begin(), of_leaf.end() - 1, std::back_inserter(closed));
  }
  std::move(closed.begin(), closed.end(), std::back_inserter(chunks));
  for (size_t i = 0; i < chunks.size(); ++i) chunks[i].number = static_cast<int64_t>(i);
  return chunks;
}

/// A row that nobody touched is still where it was, as long as its table's file is the same one.
/// What the file has grown by since is read too: changed rows go there first, and their changes may
/// not send all of them. By its key a row is in the same range, wherever it lies.
Result<std::optional<std::vector<Chunk>>> PlanRestOf(const std::vector<Extent>& leaves,
                                                     const std::vector<std::string>& plan,
                                                     const std::set<int64_t>& done) {
  Rest rest(leaves);
  for (int64_t number = 0; number < std::ssize(plan); ++number) {
    const std::string& text = plan[static_cast<size_t>(number)];
    bool stays = false;
    if (IsKeyRange(text)) {
      FRESHET_TRY(const KeyRange range, KeyRangeFrom(text));
      stays = rest.Take(range, number, done.contains(number));
    } else {
      FRESHET_TRY(const BlockRange range, BlockRangeFrom(text));
      stays = rest.Take(range, number, done.contains(number));
    }
    if (!stays) return std::optional<std::vector<Chunk>>();
  }
  rest.AddGrowth(std::ssize(plan));
  return std::optional(std::move(rest.chunks));
}

}  // namespace freshet::sources::postgres
