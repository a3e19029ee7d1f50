// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/block_range.h"

#include <gtest/gtest.h>

namespace freshet::sources::postgres {
namespace {

TEST(BlockRange, ComesBackFromItsText) {
  for (const auto& range :
       {BlockRange{.oid = 16385, .end = {}},
        BlockRange{.oid = 4294967295, .first = 7, .end = 9000000000, .file = 16390, .size = 11},
        BlockRange{.oid = 1, .first = 8, .end = {}, .file = 5, .size = 0},
        BlockRange{.oid = 1, .first = 8, .end = 9}}) {
    auto read = BlockRangeFrom(ToText(range));
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(*read, range) << ToText(range);
  }
}

TEST(BlockRange, TextOfBeforeThereWereFiles) {
  auto read = BlockRangeFrom("table=16385 blocks=3..6");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, (BlockRange{.oid = 16385, .first = 3, .end = 6}));
}

TEST(BlockRange, AnythingElseIsRefused) {
  for (const char* text :
       {"", "table=", "table=1", "table=x blocks=1..2", "table=1 blocks=1", "table=1 blocks=1..x",
        "table=1 blocks=1..2 file=", "table=1 blocks=1..2 file=3", "table=1 blocks=1.. size=3",
        "table=1 blocks=1.. ", "table=1 blocks=1..2 file=3 size=4 more", "table=-1 blocks=1..2"}) {
    EXPECT_TRUE(BlockRangeFrom(text).status().Is(ErrorClass::INVALID_ARGUMENT)) << text;
  }
}

}  // namespace
}  // namespace freshet::sources::postgres
