// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/key_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace freshet::sources::postgres {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::IsEmpty;

/// Keys of two letters, which as texts have the order of their numbers.
std::string Key(int64_t number) {
  return {static_cast<char>('a' + number / 26 % 26), static_cast<char>('a' + number % 26)};
}

/// Rows one after another, so many a block.
std::vector<SampledRow> InOrder(int64_t rows, int64_t rows_per_block) {
  std::vector<SampledRow> sample;
  for (int64_t i = 0; i < rows; ++i) sample.push_back({.block = i / rows_per_block, .key = Key(i)});
  return sample;
}

TEST(KeySplit, RowsInTheKeysOrderAreDividedEvenlyAndReadOnce) {
  const KeySplit split = SplitByKey(InOrder(400, 10), 4);
  EXPECT_THAT(split.bounds, ElementsAre(Key(100), Key(200), Key(300)));
  EXPECT_THAT(split.shares, ElementsAre(0.25, 0.25, 0.25, 0.25));
  EXPECT_EQ(split.reads_per_block, 1);
  EXPECT_TRUE(Pays(split, 1));
}

TEST(KeySplit, ABlockThatHasRowsOfSeveralChunksIsReadForEach) {
  auto sample = InOrder(400, 10);
  // Each block has rows of all over.
  for (size_t i = 0; i < sample.size(); ++i) sample[i].block = static_cast<int64_t>(i) % 40;
  const KeySplit split = SplitByKey(sample, 4);
  EXPECT_EQ(split.reads_per_block, 4);
  EXPECT_FALSE(Pays(split, 1)) << "it would be read four times";
  EXPECT_TRUE(Pays(split, 0.01)) << "nearly all of it lies out of line";
}

TEST(KeySplit, AValueOfManyRowsIsInOneChunk) {
  auto sample = InOrder(100, 10);
  for (size_t i = 30; i < 70; ++i) sample[i].key = sample[30].key;
  const KeySplit split = SplitByKey(sample, 10);
  EXPECT_THAT(split.bounds, ElementsAre(Key(10), Key(20), Key(30), Key(70), Key(80), Key(90)));
  EXPECT_THAT(split.shares[3], DoubleNear(0.4, 1e-9));
  EXPECT_TRUE(Pays(split, 1));
  for (size_t i = 5; i < 95; ++i) sample[i].key = sample[30].key;
  EXPECT_FALSE(Pays(SplitByKey(sample, 10), 1)) << "one reader would have nearly all";
}

TEST(KeySplit, OneValueNothingAndNullsAreNotDivided) {
  std::vector<SampledRow> same(50, {.block = 1, .key = "7"}), nulls(50, {.block = 1, .key = {}});
  EXPECT_THAT(SplitByKey(same, 4).bounds, IsEmpty());
  EXPECT_FALSE(Pays(SplitByKey(same, 4), 1));
  EXPECT_FALSE(Pays(SplitByKey(nulls, 4), 1));
  EXPECT_FALSE(Pays(SplitByKey({}, 4), 1));
}

TEST(KeySplit, NullsAreInTheFirstChunk) {
  auto sample = InOrder(100, 10);
  for (size_t i = 0; i < 35; ++i) sample[i].key.reset();
  const KeySplit split = SplitByKey(sample, 4);
  EXPECT_THAT(split.bounds, ElementsAre(Key(50), Key(75)));
  EXPECT_THAT(split.shares, ElementsAre(0.5, 0.25, 0.25));
}

/// Compare with counting the rows between the bounds.
void CheckEveryRowIsInTheChunkOfItsKey() {
  auto keys = *rc::gen::container<std::vector<int64_t>>(rc::gen::inRange<int64_t>(-5, 60));
  std::ranges::sort(keys);
  std::vector<SampledRow> sample;
  for (int64_t key : keys) {
    sample.push_back({.block = *rc::gen::inRange<int64_t>(0, 9), .key = {}});
    if (key >= 0) sample.back().key = Key(key);
  }
  const auto chunks = *rc::gen::inRange<int64_t>(1, 12);
  const KeySplit split = SplitByKey(sample, chunks);
  RC_ASSERT(std::ssize(split.bounds) < chunks);
  RC_ASSERT(std::ranges::is_sorted(split.bounds, std::less_equal()));
  if (sample.empty()) return;
  RC_ASSERT(split.shares.size() == split.bounds.size() + 1);
  std::vector<int64_t> counts(split.shares.size());
  for (const auto& row : sample) {
    const auto above =
        row.key ? std::ranges::upper_bound(split.bounds, *row.key) : split.bounds.begin();
    ++counts[static_cast<size_t>(above - split.bounds.begin())];
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    RC_ASSERT(counts[i] > 0);
    const double share = static_cast<double>(counts[i]) / static_cast<double>(sample.size());
    RC_ASSERT(std::abs(split.shares[i] - share) < 1e-9);
  }
  RC_ASSERT(split.reads_per_block >= 1);
  RC_ASSERT(split.reads_per_block <= static_cast<double>(counts.size()));
}

TEST(KeySplit, EveryRowIsInTheChunkOfItsKey) {
  EXPECT_TRUE(rc::check("any sample", CheckEveryRowIsInTheChunkOfItsKey));
}

}  // namespace
}  // namespace freshet::sources::postgres
