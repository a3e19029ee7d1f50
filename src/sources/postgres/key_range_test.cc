// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/key_range.h"

#include <gtest/gtest.h>

#include "sources/postgres/block_range.h"

namespace freshet::sources::postgres {
namespace {

TEST(KeyRange, ComesBackFromItsText) {
  for (const auto& range :
       {KeyRange{.oid = 16385, .column = 1, .type = "int8", .from = {}, .below = "-5", .file = 7},
        KeyRange{.oid = 4294967295,
        .column = 1600,
        .type = "timestamptz",
        .from = "-infinity",
        .below = "4713-01-01 00:00:00.000001+00 BC",
        .file = 16390},
        KeyRange{.oid = 1, .column = 2, .type = "float8", .from = "NaN", .below = {}, .file = 5},
        KeyRange{.oid = 1, .column = 2, .type = "float8", .from = "1e-05", .below = {}, .file = 5},
        KeyRange{.oid = 1,
        .column = 3,
        .type = "uuid",
        .from = "00000000-0000-0000-0000-000000000000",
        .below = "ffffffff-ffff-ffff-ffff-ffffffffffff",
        .file = 5}}) {
    const std::string text = ToText(range);
    EXPECT_TRUE(IsKeyRange(text)) << text;
    auto read = KeyRangeFrom(text);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(*read, range) << text;
  }
  EXPECT_FALSE(IsKeyRange(ToText(BlockRange{.oid = 1, .end = 3, .file = 5, .size = 9})));
}

TEST(KeyRange, AnythingElseIsRefused) {
  for (const char* text :
       {"table=1 column=1 type=int8 keys='1'..'2'", "table=1 column=1 type=int8 keys='1'..2 file=3",
        "table=1 column=0 type=int8 keys='1'..'2' file=3",
        "table=1 column=1 type=text keys='1'..'2' file=3",
        "table=1 column=1 type=int8 keys=''..'2' file=3",
        "table=1 column=1 type=int8 keys='1;'..'2' file=3",
        "table=1 column=1 type=int8 keys='1\\'..'2' file=3",
        "table=1 column=1 type=int8 keys='1'..'2' file=3 more",
        "table=1 column=1 type=int8 keys='1 file=3"}) {
    EXPECT_TRUE(KeyRangeFrom(text).status().Is(ErrorClass::INVALID_ARGUMENT)) << text;
  }
}

TEST(KeyRange, TypesWhoseOrderDependsOnALocaleAreNone) {
  constexpr uint32_t kInt8 = 20, kText = 25, kVarchar = 1043, kTimestamp = 1114;
  EXPECT_EQ(KeyTypeOf(kInt8)->name, "int8");
  EXPECT_EQ(KeyTypeOf(kTimestamp)->name, "timestamp");
  EXPECT_FALSE(KeyTypeOf(kText));
  EXPECT_FALSE(KeyTypeOf(kVarchar));
}

TEST(KeyRange, TheFirstTakesTheNulls) {
  KeyRange range{.oid = 1, .column = 2, .type = "int4", .from = {}, .below = "7", .file = 5};
  EXPECT_EQ(ConditionOf(range, "a\"b"),
            "(\"a\"\"b\" < '7'::pg_catalog.int4 OR \"a\"\"b\" IS NULL)");
  range.from = "3";
  EXPECT_EQ(ConditionOf(range, "k"),
            "\"k\" >= '3'::pg_catalog.int4 AND \"k\" < '7'::pg_catalog.int4");
  range.below.reset();
  EXPECT_EQ(ConditionOf(range, "k"), "\"k\" >= '3'::pg_catalog.int4");
  range.from.reset();
  EXPECT_EQ(ConditionOf(range, "k"), "true");
}

}  // namespace
}  // namespace freshet::sources::postgres
