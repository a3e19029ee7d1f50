// SPDX-License-Identifier: Apache-2.0
#include "apply/key_hash.h"

#include <arrow/array/concatenate.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include <set>

namespace freshet::apply {
namespace {

std::shared_ptr<arrow::Array> Make(const std::shared_ptr<arrow::DataType>& type,
                                   std::string_view json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

TEST(KeyHash, AWidenedColumnKeepsItsHashes) {
  auto narrow = HashKeys({Make(arrow::int16(), "[-3, 7, null]")}, 3);
  EXPECT_EQ(narrow, HashKeys({Make(arrow::int64(), "[-3, 7, null]")}, 3));
  EXPECT_EQ(HashKeys({Make(arrow::float32(), "[1.5]")}, 1),
            HashKeys({Make(arrow::float64(), "[1.5]")}, 1));
  EXPECT_EQ(HashKeys({Make(arrow::decimal128(5, 2), "[\"1.50\"]")}, 1),
            HashKeys({Make(arrow::decimal128(30, 2), "[\"1.50\"]")}, 1));
}

TEST(KeyHash, KindsAndBordersOfValuesDiffer) {
  std::set<KeyHash> hashes;
  hashes.insert(HashKeys({Make(arrow::utf8(), "[\"a\"]"), Make(arrow::utf8(), "[\"bc\"]")}, 1)[0]);
  hashes.insert(HashKeys({Make(arrow::utf8(), "[\"ab\"]"), Make(arrow::utf8(), "[\"c\"]")}, 1)[0]);
  hashes.insert(HashKeys({Make(arrow::int32(), "[1]")}, 1)[0]);
  hashes.insert(HashKeys({Make(arrow::date32(), "[1]")}, 1)[0]);
  hashes.insert(HashKeys({Make(arrow::float64(), "[0.0]")}, 1)[0]);
  hashes.insert(HashKeys({Make(arrow::float64(), "[-0.0]")}, 1)[0]);
  hashes.insert(HashKeys({Make(arrow::boolean(), "[true]")}, 1)[0]);
  hashes.insert(HashKeys({Make(arrow::list(arrow::int32()), "[[1, null]]")}, 1)[0]);
  hashes.insert(HashKeys({Make(arrow::list(arrow::int32()), "[[1]]")}, 1)[0]);
  EXPECT_EQ(hashes.size(), 9u);
}

TEST(KeyHash, SlicesHashLikeTheWhole) {
  auto array = Make(arrow::list(arrow::utf8()), "[[\"a\"], null, [\"b\", \"c\"], []]");
  auto whole = HashKeys({array}, 4);
  auto slice = HashKeys({array->Slice(2)}, 2);
  EXPECT_EQ(slice[0], whole[2]);
  EXPECT_EQ(slice[1], whole[3]);
}

TEST(KeyHash, ContentIgnoresTheColumnsOrderAndAnAddedNull) {
  using record::ColumnId;
  auto a = Make(arrow::int32(), "[1, 2]");
  auto b = Make(arrow::utf8(), "[\"x\", null]");
  auto added = Make(arrow::utf8(), "[null, \"x\"]");
  auto two = HashContents({a, b}, {ColumnId(1), ColumnId(2)}, 2);
  EXPECT_EQ(two, HashContents({b, a}, {ColumnId(2), ColumnId(1)}, 2));
  auto three = HashContents({a, b, added}, {ColumnId(1), ColumnId(2), ColumnId(3)}, 2);
  EXPECT_EQ(three[0], two[0]);
  EXPECT_NE(three[1], two[1]);
  EXPECT_NE(two, HashContents({a, b}, {ColumnId(1), ColumnId(5)}, 2));
}

// The form is on disk: a change of it needs another kKeyHashForm.
TEST(KeyHash, TheFormIsFixed) {
  auto hash = HashKeys({Make(arrow::int32(), "[42]"), Make(arrow::utf8(), "[\"key\"]")}, 1)[0];
  EXPECT_EQ(fmt::format("{:016x}{:016x}", hash.high, hash.low), "6b2bb1a3cb5a07d4bab4a20710f0e38b");
  EXPECT_EQ(HashPath("part-1.parquet"), HashPath(std::string("part-1.parquet")));
}

}  // namespace
}  // namespace freshet::apply
