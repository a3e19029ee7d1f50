// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/chunk_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"

namespace freshet::sources::postgres {
namespace {

using testing::ElementsAre;

constexpr int64_t kBlock = 8192;

Extent Leaf(uint32_t oid, int64_t blocks) {
  return {.oid = oid,
          .blocks = blocks,
          .block_bytes = kBlock,
          .bytes = blocks * kBlock,
          .rows_per_block = 10,
          .file = oid + 1000};
}

KeySplit Split(std::vector<std::string> bounds) {
  KeySplit split{.column = 2, .type = "int4", .bounds = std::move(bounds), .shares = {}};
  split.shares.assign(split.bounds.size() + 1, 1.0 / static_cast<double>(split.bounds.size() + 1));
  split.rows = 900;
  return split;
}

std::vector<std::string> Texts(const std::vector<Chunk>& chunks) {
  std::vector<std::string> texts;
  for (const auto& chunk : chunks) texts.push_back(chunk.text);
  return texts;
}

TEST(ChunkPlan, BlocksThatAreReadAloneMakeAsManyChunksAsTheBytesAreWorth) {
  const int64_t blocks = 5 * static_cast<int64_t>(limits::kChunkBytesMax) / kBlock;
  EXPECT_EQ(ChunksOf(Leaf(1, blocks)), 6) << "as many for each reader";
  EXPECT_EQ(PlanChunks({Leaf(1, blocks)}, true).size(), 6U);
  EXPECT_EQ(PlanChunks({Leaf(1, blocks)}, false).size(), 2U);
  EXPECT_EQ(PlanChunks({Leaf(1, 0)}, false).size(), 1U);
}

TEST(ChunkPlan, KeysMakeAsManyChunksAsTheyPart) {
  const auto chunks = PlanChunks({Leaf(1, 10), Leaf(2, 100'000)}, false, {{2, Split({"5", "9"})}});
  EXPECT_THAT(Texts(chunks), ElementsAre("table=1 blocks=0.. file=1001 size=10",
                                         "table=2 column=2 type=int4 keys='9'.. file=1002",
                                         "table=2 column=2 type=int4 keys=..'5' file=1002",
                                         "table=2 column=2 type=int4 keys='5'..'9' file=1002"))
      << "what is open is read first";
  for (size_t i = 0; i < chunks.size(); ++i) EXPECT_EQ(chunks[i].number, static_cast<int64_t>(i));
  EXPECT_EQ(chunks[0].rows_estimated, 100);
  EXPECT_EQ(chunks[1].rows_estimated, 300);
}

TEST(ChunkPlan, TheRestOfKeyRangesIsTheSameRanges) {
  const auto plan = Texts(PlanChunks({Leaf(2, 100'000)}, false, {{2, Split({"5", "9"})}}));
  // The file has grown.
  auto rest = PlanRestOf({Leaf(2, 200'000)}, plan, {0});
  ASSERT_TRUE(rest.ok()) << rest.status().ToString();
  ASSERT_TRUE(rest->has_value());
  EXPECT_THAT(Texts(**rest), ElementsAre(plan[1], plan[2])) << "keys are where they were";
  EXPECT_EQ((**rest)[0].number, 1);
  EXPECT_EQ((**rest)[1].number, 2);
}

TEST(ChunkPlan, TheRestOfAnotherFileIsNone) {
  const auto plan = Texts(PlanChunks({Leaf(2, 100'000)}, false, {{2, Split({"5"})}}));
  Extent other = Leaf(2, 100'000);
  other.file = 7;
  EXPECT_FALSE(PlanRestOf({other}, plan, {0})->has_value());
  EXPECT_FALSE(PlanRestOf({Leaf(3, 100'000)}, plan, {0})->has_value());
}

TEST(ChunkPlan, TheRestOfBlocksIsAlsoWhatTheFileHasGrownBy) {
  const auto plan = Texts(PlanChunks({Leaf(2, 100'000)}, false));
  auto rest = PlanRestOf({Leaf(2, 100'007)}, plan, {0});
  ASSERT_TRUE(rest.ok() && rest->has_value());
  EXPECT_THAT(Texts(**rest), ElementsAre("table=2 blocks=0..50000 file=1002 size=100007",
                                         "table=2 blocks=100000.. file=1002 size=100007"));
}

}  // namespace
}  // namespace freshet::sources::postgres
