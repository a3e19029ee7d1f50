// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/key_split.h"

#include <algorithm>
#include <set>
#include <utility>

namespace freshet::sources::postgres {
namespace {

/// What blocks that are read for several chunks may add to reading the table: as much as looking
/// through all of it once more for a second reader does.
constexpr double kReadAgainMax = 0.25;
/// One of two chunks has about half of the rows; none may have much more.
constexpr double kShareMax = 0.6;

}  // namespace

KeySplit SplitByKey(const std::vector<SampledRow>& sample, int64_t chunks) {
  KeySplit split;
  const int64_t rows = std::ssize(sample);
  std::vector<int64_t> starts;  // of the chunks in the sample
  if (rows > 0) starts.push_back(0);
  auto key_at = [&](int64_t at) -> const auto& { return sample[static_cast<size_t>(at)].key; };
  for (int64_t i = 1; i < chunks && rows > 0; ++i) {
    int64_t at = i * rows / chunks;
    const auto& key = key_at(at);
    if (!key || key == key_at(starts.back())) continue;
    // The first of its value: equal ones are not parted.
    while (key_at(at - 1) == key) --at;
    split.bounds.push_back(*key);
    starts.push_back(at);
  }
  std::set<int64_t> blocks;
  std::set<std::pair<int64_t, size_t>> reads;
  for (size_t chunk = 0; chunk < starts.size(); ++chunk) {
    const int64_t end = chunk + 1 < starts.size() ? starts[chunk + 1] : rows;
    split.shares.push_back(static_cast<double>(end - starts[chunk]) / static_cast<double>(rows));
    for (int64_t at = starts[chunk]; at < end; ++at) {
      blocks.insert(sample[static_cast<size_t>(at)].block);
      reads.emplace(sample[static_cast<size_t>(at)].block, chunk);
    }
  }
  if (!blocks.empty())
    split.reads_per_block = static_cast<double>(reads.size()) / static_cast<double>(blocks.size());
  return split;
}

bool Pays(const KeySplit& split, double block_weight) {
  return !split.bounds.empty() && (split.reads_per_block - 1) * block_weight <= kReadAgainMax &&
         std::ranges::max(split.shares) <= kShareMax;
}

}  // namespace freshet::sources::postgres
