// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>

#include "apply/applied_table_test.h"
#include "apply/table_form.h"
#include "delta/deletion_vector.h"
#include "delta/log.h"
#include "parquet/reader.h"

// Rows keep their ids, and those that are only copied their versions.

namespace freshet::apply {
namespace {

class RowIdsTest : public AppliedTableTest {
 protected:
  RowIdsTest() { world_.properties_["delta.enableRowTracking"] = "true"; }

  struct Row {
    int64_t id = 0, version = 0;
    bool operator==(const Row&) const = default;
  };
  /// Of each living row, by its key and, where a row may have several versions, its note.
  std::map<std::string, Row> Ids() {
    auto snapshot = delta::Table(world_.table_).Latest(nullptr).value();
    const auto columns = RowIdColumns::Of(*snapshot);
    EXPECT_TRUE(columns.has_value());
    auto fields = columns->Fields();
    fields.push_back(arrow::field("id", arrow::int64()));
    fields.push_back(arrow::field("note", arrow::utf8()));
    std::map<std::string, Row> ids;
    std::set<int64_t> all;
    for (const auto& [path, file] : snapshot->files) {
      delta::DeletionVector dead;
      if (file.deletion_vector)
        dead = delta::DeletionVector::Load(*world_.table_, *file.deletion_vector).value();
      auto reader = parquet::Reader::Open(world_.table_, path).value();
      for (int group = 0; group < reader->row_groups(); ++group) {
        auto batch = reader->Read(group, fields).value();
        const int64_t first = reader->RowsOf(group).first;
        auto kept = [&](int column, int64_t row, int64_t otherwise) {
          const auto& values = static_cast<const arrow::Int64Array&>(*batch->column(column));
          return values.IsValid(row) ? values.Value(row) : otherwise;
        };
        for (int64_t row = 0; row < batch->num_rows(); ++row) {
          if (dead.Contains(static_cast<uint64_t>(first + row))) continue;
          const Row found{kept(0, row, *file.base_row_id + first + row),
                          kept(1, row, *file.default_row_commit_version)};
          EXPECT_TRUE(all.insert(found.id).second) << "two rows have the id " << found.id;
          ids[batch->column(2)->GetScalar(row).ValueOrDie()->ToString() + " " +
              batch->column(3)->GetScalar(row).ValueOrDie()->ToString()] = found;
        }
      }
    }
    return ids;
  }
  std::string Preserved() {
    auto actions = delta::ReadCommit(*world_.table_, world_.Version()).value();
    return std::get<delta::CommitInfo>(actions.at(0)).tags["delta.rowTracking.preserved"];
  }
};

TEST_F(RowIdsTest, AnUpdateKeepsTheIdAndACopyTheVersionToo) {
  world_.compaction_ = {.files_min = 4, .bytes_min = 0, .commits_min = 1, .unit_rows = 3};
  Snapshot();
  Settle();
  const auto first = Ids();
  ASSERT_EQ(first.size(), 2U);
  world_.Change(
      {Change(Op::kUpdate, {1, "aa", Unsent{}}, 20), Change(Op::kInsert, {3, "c", "C"}, 21)});
  world_.Seal();
  Settle();
  const auto second = Ids();
  EXPECT_EQ(second.at("1 aa").id, first.at("1 a").id);
  EXPECT_GT(second.at("1 aa").version, first.at("1 a").version);
  EXPECT_EQ(second.at("2 b"), first.at("2 b"));
  EXPECT_EQ(Preserved(), "true");
  // Again: the id is not the row's place any more.
  world_.Change({Change(Op::kUpdate, {1, "aaa", "A"}, 22),
                 Change(Op::kDelete, {2, Null(), Null()}, 23),
                 Change(Op::kInsert, {2, "bb", "B"}, 24)});
  world_.Seal();
  ASSERT_TRUE(world_.Open()->Apply(world_.sealed_, {}).ok());
  const auto third = Ids();
  EXPECT_EQ(third.at("1 aaa").id, first.at("1 a").id);
  EXPECT_EQ(third.at("3 c"), second.at("3 c"));
  const int64_t version = world_.Version();
  Settle();  // rewrites the files
  ASSERT_GT(world_.Version(), version);
  EXPECT_EQ(Ids(), third);
  EXPECT_EQ(Preserved(), "true");
}

TEST_F(RowIdsTest, SlicesOfOneTransactionToo) {
  world_.fold_bytes_max_ = 1;
  Snapshot();
  Settle();
  const auto first = Ids();
  for (uint64_t i = 0; i < 4; ++i) {
    world_.Change({Change(Op::kUpdate, {1, "a" + std::to_string(i), "A"}, 20, 2 * i + 1),
                   Change(Op::kInsert, {static_cast<int64_t>(10 + i), "n", "N"}, 20, 2 * i + 2)});
  }
  world_.Seal();
  Settle();
  const auto second = Ids();
  EXPECT_EQ(second.size(), 6U);
  EXPECT_EQ(second.at("1 a3").id, first.at("1 a").id);
}

TEST_F(RowIdsTest, AClosedVersionIsTheSameRow) {
  world_.history_ = {.scd_type = ScdType::kType2};
  Snapshot();
  Settle();
  const auto first = Ids();
  world_.Change({Change(Op::kUpdate, {1, "aa", Unsent{}}, 20)});
  world_.Seal();
  Settle();
  const auto second = Ids();
  EXPECT_EQ(second.size(), 3U);
  EXPECT_EQ(second.at("1 a").id, first.at("1 a").id);
  EXPECT_NE(second.at("1 aa").id, first.at("1 a").id);
}

TEST_F(RowIdsTest, ATableThatWasThereGetsIdsLater) {
  world_.properties_.clear();
  Snapshot();
  Settle();
  world_.properties_["delta.enableRowTracking"] = "true";
  world_.Change({Change(Op::kUpdate, {1, "aa", Unsent{}}, 20)});
  world_.Seal();
  Settle();
  const auto ids = Ids();
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_TRUE(ids.contains("1 aa"));
  // The row that no change touched is still in its file, which was added again with an id.
  const auto snapshot = delta::Table(world_.table_).Latest(nullptr).value();
  for (const auto& [path, file] : snapshot->files) {
    EXPECT_TRUE(file.base_row_id.has_value()) << path;
    EXPECT_TRUE(file.default_row_commit_version.has_value()) << path;
  }
  EXPECT_LT(ids.at("2 b").version, ids.at("1 aa").version);
  world_.Change({Change(Op::kUpdate, {1, "aaa", "A"}, 30)});
  world_.Seal();
  Settle();
  EXPECT_EQ(Ids().at("1 aaa").id, ids.at("1 aa").id);
  EXPECT_EQ(Ids().at("2 b"), ids.at("2 b"));
}

TEST_F(RowIdsTest, RowsThatAllGoAtOnceKeepTheirs) {
  world_.history_ = {.scd_type = ScdType::kType2};
  Snapshot();
  Settle();
  const auto first = Ids();
  world_.Truncate(20, 1, 20);
  world_.Seal();
  Settle();
  EXPECT_EQ(Preserved(), "true");
  EXPECT_EQ(Ids().at("1 a").id, first.at("1 a").id);
  EXPECT_EQ(Ids().at("2 b").id, first.at("2 b").id);
}

TEST_F(RowIdsTest, ASnapshotThatBeginsAgainKeepsNone) {
  world_.List(Shape());
  world_.Begin(1, 10);
  world_.Chunk(1, 0, {{1, "a", "A"}});
  world_.Seal();
  Settle();
  world_.Note(staging::GenerationAbandoned{world_.flow_.id, world_.flow_.table,
                                           record::Generation(1), record::Generation(2), "why"});
  world_.Begin(2, 20);
  world_.Chunk(2, 0, {{1, "a", "A"}});
  world_.Seal();
  Settle();
  EXPECT_EQ(Preserved(), "false");
}

}  // namespace
}  // namespace freshet::apply
