// SPDX-License-Identifier: Apache-2.0
#include "apply/column_fill.h"

#include "apply/applied_table_test.h"

namespace freshet::apply {
namespace {

using ColumnFillTest = AppliedTableTest;

/// The table is to be read again, and nobody has begun to: what no change fills is not seen before.
TEST_F(ColumnFillTest, AColumnIsNotSeenBeforeTheRefreshThatIsToBringIt) {
  Snapshot();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  world_.NoteShape(fakes::MakeShape("100", "public", "t",
                                    {{"id", arrow::int64()},
                                     {"note", arrow::utf8()},
                                     {"big", arrow::utf8()},
                                     {"n", arrow::int64()}}),
                   StagedWorld::At(11), {record::ColumnId(4)});
  world_.Change({Change(Op::kInsert, {3, "c", "C", 8}, 12)});
  world_.Note(staging::GenerationAbandoned{.flow = world_.flow_.id,
                                           .table = world_.flow_.table,
                                           .generation = record::Generation(1),
                                           .successor = record::Generation(2),
                                           .why = "rows came or went",
                                           .untold = true});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kWaiting);
  EXPECT_EQ(world_.Rows(), (Lines{"1 a A", "2 b B"}));
  world_.Begin(2, 20);
  world_.Chunk(2, 0, {{1, "a", "A", 7}, {3, "c", "C", 8}});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kWaiting);
  EXPECT_EQ(world_.Rows(), (Lines{"1 a A", "2 b B"}));
  world_.End(2);
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"1 a A 7", "3 c C 8"}));
}

}  // namespace
}  // namespace freshet::apply
