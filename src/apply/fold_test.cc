// SPDX-License-Identifier: Apache-2.0
#include "apply/fold.h"

#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/json/from_string.h>
#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "fakes/rows.h"

namespace freshet::apply {
namespace {

using fakes::ChangeRow;
using fakes::Unsent;
using record::ColumnId;
using record::Op;

/// Columns id, note, big; the key is id, or there is none.
class FoldTest : public ::testing::Test {
 protected:
  FoldTest() { SetKey(1); }
  void SetKey(int columns) {
    shape_ = fakes::MakeShape(
        "1", "public", "t",
        {{"id", arrow::int64()}, {"note", arrow::utf8()}, {"big", arrow::utf8()}}, columns);
    form_ = {shape_.schema, shape_.ids, shape_.key};
  }

  FoldItem Batch(const std::vector<ChangeRow>& rows) { return Batch(shape_, rows); }
  FoldItem Batch(const record::TableShape& shape, const std::vector<ChangeRow>& rows) {
    auto changes = fakes::MakeChanges(shape, rows);
    arrow::FieldVector fields = changes->schema()->fields();
    for (size_t i = 0; i < shape.ids.size(); ++i) {
      fields[i] = fields[i]->WithMetadata(
          arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(shape.ids[i].value())}));
    }
    auto projected = Project(
        form_,
        arrow::RecordBatch::Make(arrow::schema(fields), changes->num_rows(), changes->columns()));
    EXPECT_TRUE(projected.ok()) << projected.status().ToString();
    return std::move(*projected);
  }

  /// The put rows, one text each, sorted; `table` are the wanted rows.
  std::vector<std::string> Puts(const std::vector<FoldItem>& items,
                                const std::vector<std::string>& table = {}) {
    auto folded = Fold(form_, items);
    EXPECT_TRUE(folded.ok()) << folded.status().ToString();
    std::vector<std::string> rows;
    auto add = [&](const KeyedRows& piece) {
      EXPECT_EQ(piece.keys.size(), static_cast<size_t>(piece.rows->num_rows()));
      for (int64_t row = 0; row < piece.rows->num_rows(); ++row) {
        std::string text;
        for (const auto& column : piece.rows->columns()) {
          text += column->GetScalar(row).ValueOrDie()->ToString() + " ";
        }
        rows.push_back(text);
      }
    };
    PutReader reader(form_, items, *folded, 2);
    for (auto piece = reader.Next(); piece.ok() && piece->rows; piece = reader.Next()) add(*piece);
    std::vector<Folded::Put> patched;
    arrow::Int64Builder wanted;
    for (const auto& put : folded->puts) {
      if (put.patch < 0) continue;
      patched.push_back(put);
      EXPECT_TRUE(wanted.Append(std::max(put.wanted, 0)).ok());
    }
    auto indices = wanted.Finish().ValueOrDie();
    arrow::ArrayVector former(form_.width());
    for (size_t i = 0; i < form_.width(); ++i) {
      if (!folded->wanted_columns[i] || patched.empty()) continue;
      auto type = form_.schema->field(static_cast<int>(i))->type();
      auto values = arrow::json::ArrayFromJSONString(type, table.at(i)).ValueOrDie();
      former[i] = arrow::compute::Take(*values, *indices).ValueOrDie();
    }
    if (!patched.empty()) add(reader.Patched(patched, former).value());
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  using Rows = std::vector<std::string>;

  record::TableShape shape_;
  RowForm form_;
};

fakes::Value Null() { return std::monostate{}; }

TEST_F(FoldTest, TheLastStateOfAKeyWinsAndADeletedKeyStaysAway) {
  std::vector<FoldItem> items = {
      Batch({{Op::kInsert, {1, "a", "A"}, {}, 0}, {Op::kInsert, {2, "b", "B"}, {}, 0}}),
      Batch({{Op::kUpdate, {1, "aa", "A"}, {}, 0}, {Op::kDelete, {2, Null(), Null()}, {}, 0}})};
  EXPECT_EQ(Puts(items), (Rows{"1 aa A "}));
  auto folded = Fold(form_, items).value();
  ASSERT_EQ(folded.erases.size(), 2u);
  EXPECT_EQ(folded.erases[0].replaced + folded.erases[1].replaced, 1);
  EXPECT_FALSE(folded.truncated);
}

TEST_F(FoldTest, AnUnsentValueComesFromTheFoldElseFromTheTable) {
  std::vector<FoldItem> items = {Batch({{Op::kInsert, {1, "a", "A"}, {}, 0},
                                        {Op::kUpdate, {1, "aa", Unsent{}}, {}, 0},
                                        {Op::kUpdate, {2, "b", Unsent{}}, {}, 0},
                                        {Op::kUpdate, {3, "c", Unsent{}}, {}, 0},
                                        {Op::kUpdate, {3, Unsent{}, "C"}, {}, 0}}),
                                 Batch({{Op::kUpdate, {2, "bb", Unsent{}}, {}, 0}})};
  EXPECT_EQ(Puts(items, {"", "", "[\"of 2\", \"of 3\"]"}),
            (Rows{"1 aa A ", "2 bb of 2 ", "3 c C "}));
}

TEST_F(FoldTest, AKeyChangeTakesUnsentValuesAlongAChain) {
  std::vector<FoldItem> items = {Batch({{Op::kUpdate, {1, "x", Unsent{}}, {}, 0},
                                        {Op::kDelete, {1, Null(), Null()}, {}, 0},
                                        {Op::kInsert, {2, "y", Unsent{}}, {}, 0},
                                        {Op::kDelete, {2, Null(), Null()}, {}, 0},
                                        {Op::kInsert, {3, Unsent{}, Unsent{}}, {}, 0},
                                        {Op::kInsert, {1, "new", "N"}, {}, 0}})};
  EXPECT_EQ(Puts(items, {"", "", "[\"of 1\"]"}), (Rows{"1 new N ", "3 y of 1 "}));
  EXPECT_EQ(Fold(form_, items).value().erases.size(), 3u);
}

TEST_F(FoldTest, KeysThatSwapKeepTheirValues) {
  std::vector<FoldItem> items = {Batch({{Op::kDelete, {1, Null(), Null()}, {}, 0},
                                        {Op::kInsert, {9, "a", Unsent{}}, {}, 0},
                                        {Op::kDelete, {2, Null(), Null()}, {}, 0},
                                        {Op::kInsert, {1, "b", Unsent{}}, {}, 0},
                                        {Op::kDelete, {9, Null(), Null()}, {}, 0},
                                        {Op::kInsert, {2, "a", Unsent{}}, {}, 0}})};
  EXPECT_EQ(Puts(items, {"", "", "[\"of 1\", \"of 2\"]"}), (Rows{"1 b of 2 ", "2 a of 1 "}));
}

TEST_F(FoldTest, AValueThatNoRowCanHaveIsAnError) {
  for (const auto& items : std::vector<std::vector<FoldItem>>{
           {Batch({{Op::kInsert, {1, "a", Unsent{}}, {}, 0}})},
           {Batch({{Op::kDelete, {1, Null(), Null()}, {}, 0},
                   {Op::kUpdate, {1, "a", Unsent{}}, {}, 0}})},
           {FoldBarrier{}, Batch({{Op::kUpdate, {1, "a", Unsent{}}, {}, 0}})}}) {
    EXPECT_TRUE(Fold(form_, items).status().Is(ErrorClass::VALUE_NOT_SENT));
  }
}

TEST_F(FoldTest, ATruncateForgetsWhatCameBefore) {
  std::vector<FoldItem> items = {Batch({{Op::kUpdate, {1, "a", Unsent{}}, {}, 0}}), FoldBarrier{},
                                 Batch({{Op::kInsert, {2, "b", "B"}, {}, 0}})};
  EXPECT_EQ(Puts(items), (Rows{"2 b B "}));
  auto folded = Fold(form_, items).value();
  EXPECT_TRUE(folded.truncated);
  EXPECT_TRUE(folded.erases.empty());
  EXPECT_TRUE(folded.wanted.empty());
}

TEST_F(FoldTest, KeylessRowsKeepTheirMultiplicity) {
  SetKey(0);
  std::vector<FoldItem> items = {Batch({{Op::kInsert, {1, "a", Null()}, {}, 0},
                                        {Op::kInsert, {1, "a", Null()}, {}, 0},
                                        {Op::kDelete, {1, "a", Null()}, {}, 0},
                                        {Op::kInsert, {1, "a", Null()}, {}, 0},
                                        {Op::kDelete, {2, "b", Null()}, {}, 0},
                                        {Op::kDelete, {2, "b", Null()}, {}, 0},
                                        {Op::kDelete, {3, "c", Null()}, {}, 0},
                                        {Op::kInsert, {3, "c", Null()}, {}, 0}})};
  EXPECT_EQ(Puts(items), (Rows{"1 a null ", "1 a null "}));
  auto folded = Fold(form_, items).value();
  ASSERT_EQ(folded.erases.size(), 1u);
  EXPECT_EQ(folded.erases[0].count, 2);
}

TEST_F(FoldTest, AnOlderShapeIsSeenInTheTablesColumns) {
  auto old =
      fakes::MakeShape("1", "public", "t", {{"id", arrow::int64()}, {"note", arrow::utf8()}});
  std::vector<FoldItem> items = {
      Batch(old, {{Op::kInsert, {1, "a"}, {}, 0}}),
      Batch({{Op::kUpdate, {1, Unsent{}, "A"}, {}, 0}, {Op::kUpdate, {2, Unsent{}, "B"}, {}, 0}}),
      Batch(old, {{Op::kInsert, {3, "c"}, {}, 0}})};
  EXPECT_EQ(Puts(items, {"", "[\"of 2\"]", ""}), (Rows{"1 a A ", "2 of 2 B ", "3 c null "}));
}

TEST_F(FoldTest, AColumnTheTableLacksOrHoldsOtherwiseIsAnError) {
  auto retyped = fakes::MakeShape("1", "public", "t", {{"id", arrow::int32()}});
  auto changes = fakes::MakeChanges(retyped, {{Op::kInsert, {1}, {}, 0}});
  EXPECT_TRUE(Project(form_, changes).status().Is(ErrorClass::SHAPE_CHANGE_UNSUPPORTED));
}

TEST_F(FoldTest, AValueThatNoPutNeedsIsNotWanted) {
  std::vector<FoldItem> items = {Batch({{Op::kUpdate, {1, "a", Unsent{}}, {}, 0},
                                        {Op::kDelete, {1, Null(), Null()}, {}, 0},
                                        {Op::kUpdate, {2, "b", Unsent{}}, {}, 0},
                                        {Op::kUpdate, {2, "bb", "B"}, {}, 0}})};
  auto folded = Fold(form_, items).value();
  ASSERT_EQ(folded.puts.size(), 1u);
  EXPECT_EQ(folded.puts[0].patch, -1);
  EXPECT_EQ(folded.puts[0].wanted, -1);
}

}  // namespace
}  // namespace freshet::apply
