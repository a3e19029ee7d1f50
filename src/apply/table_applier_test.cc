// SPDX-License-Identifier: Apache-2.0
#include "apply/table_applier.h"

#include <gtest/gtest.h>

#include "apply/staged_world_test.h"

namespace freshet::apply {
namespace {

using fakes::ChangeRow;
using fakes::Unsent;
using record::Op;
using Lines = std::vector<std::string>;

fakes::Value Null() { return std::monostate{}; }

class TableApplierTest : public ::testing::Test {
 protected:
  static record::TableShape Shape(int key_columns = 1, const std::string& note = "note") {
    return fakes::MakeShape("100", "public", "t",
                            {{"id", arrow::int64()}, {note, arrow::utf8()}, {"big", arrow::utf8()}},
                            key_columns);
  }
  static ChangeRow Change(Op op, fakes::Row row, uint64_t position, uint64_t ordinal = 1) {
    return {op, std::move(row), StagedWorld::At(position, ordinal),
            static_cast<UtcMicros>(position)};
  }
  /// A table with the rows 1 and 2 at position 10.
  void Snapshot(int key_columns = 1) {
    world_.List(Shape(key_columns));
    world_.Begin(1, 10);
    world_.Chunk(1, 0, {{1, "a", "A"}});
    world_.Seal();
    world_.Chunk(1, 1, {{2, "b", "B"}});
    world_.End(1);
    world_.Seal();
  }
  Applied::State Settle(TableApplier* applier) {
    auto applied = world_.ApplyAll(applier);
    EXPECT_TRUE(applied.ok()) << applied.status().ToString();
    return applied.ok() ? applied->state : Applied::State::kCommitted;
  }
  Applied::State Settle() { return Settle(world_.Open().get()); }

  StagedWorld world_;
};

TEST_F(TableApplierTest, SnapshotThenChanges) {
  world_.List(Shape());
  world_.Seal();
  auto applier = world_.Open();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kWaiting);
  EXPECT_EQ(applier->Current().value(), Positions{});

  world_.Begin(1, 10);
  world_.Change({Change(Op::kDelete, {2, Null(), Null()}, 12)});  // before its chunk
  world_.Chunk(1, 0, {{1, "a", "A"}});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kWaiting);
  EXPECT_EQ(world_.Rows(), (Lines{"1 a A"}));

  world_.Chunk(1, 1, {{2, "b", "B"}});
  world_.End(1);
  world_.Change(
      {Change(Op::kUpdate, {1, "aa", Unsent{}}, 13), Change(Op::kInsert, {3, "c", "C"}, 14)});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"1 aa A", "3 c C"}));
  EXPECT_EQ(applier->Current()->changes, world_.sealed_);

  int64_t version = world_.Version();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Version(), version) << "nothing new: no commit";
}

TEST_F(TableApplierTest, ChangesAtTheSnapshotsPositionAreInIt) {
  world_.List(Shape());
  world_.Begin(1, 10);
  world_.Change({Change(Op::kInsert, {1, "old", "A"}, 9, 1),
                 Change(Op::kDelete, {1, Null(), Null()}, 9, 2),
                 Change(Op::kUpdate, {2, "bb", Unsent{}}, 10, 1)});
  world_.Chunk(1, 0, {{2, "b", "B"}});
  world_.End(1);
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"2 bb B"}));
}

TEST_F(TableApplierTest, AnEmptySnapshotCompletesAndChangesFollow) {
  world_.List(Shape());
  world_.Begin(1, 10);
  world_.End(1);
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_TRUE(world_.Rows().empty());
  world_.Change({Change(Op::kInsert, {1, "a", Null()}, 11)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"1 a null"}));
}

TEST_F(TableApplierTest, AnAbandonedGenerationsFilesGoWithTheSuccessorsFirstChunk) {
  world_.List(Shape());
  world_.Begin(1, 10);
  world_.Chunk(1, 0, {{1, "a", "A"}});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kWaiting);
  world_.Note(staging::GenerationAbandoned{world_.flow_.id, world_.flow_.table,
                                           record::Generation(1), record::Generation(2), "why"});
  world_.Chunk(1, 1, {{7, "never", "N"}});
  world_.Begin(2, 20);
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kWaiting);
  EXPECT_EQ(world_.Rows(), (Lines{"1 a A"}));
  world_.Change({Change(Op::kUpdate, {2, "no", "B"}, 15), Change(Op::kUpdate, {2, "bb", "B"}, 21)});
  world_.Chunk(2, 0, {{2, "b", "B"}});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kWaiting);
  EXPECT_EQ(world_.Rows(), (Lines{"2 b B"}));
  world_.End(2);
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"2 bb B"}));
  EXPECT_EQ(world_.Open()->Current()->generation, record::Generation(2));
}

TEST_F(TableApplierTest, AKeyChangeTakesUnsentValuesFromTheTable) {
  Snapshot();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  world_.Change({Change(Op::kDelete, {1, Null(), Null()}, 11, 1),
                 Change(Op::kInsert, {5, "e", Unsent{}}, 11, 2)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"2 b B", "5 e A"}));
}

TEST_F(TableApplierTest, AValueFoundNowhereIsNeverNull) {
  Snapshot();
  world_.Change({Change(Op::kUpdate, {9, "x", Unsent{}}, 11)});
  world_.Seal();
  auto applied = world_.ApplyAll(world_.Open().get());
  ASSERT_TRUE(applied.status().Is(ErrorClass::VALUE_NOT_SENT)) << applied.status().ToString();
  EXPECT_NE(applied.status().ToString().find("public.t"), std::string::npos);
  EXPECT_NE(applied.status().ToString().find("id"), std::string::npos);
  EXPECT_EQ(world_.Rows(), (Lines{"1 a A", "2 b B"}));
}

TEST_F(TableApplierTest, ATruncateInsideASegment) {
  Snapshot();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  world_.Change({Change(Op::kInsert, {3, "c", "C"}, 11)});
  world_.Truncate(12);
  world_.Change(
      {Change(Op::kInsert, {4, "d", "D"}, 13), Change(Op::kInsert, {1, "n", "N"}, 13, 2)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"1 n N", "4 d D"}));
  world_.Change({Change(Op::kUpdate, {1, "nn", Unsent{}}, 14)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"1 nn N", "4 d D"}));
}

TEST_F(TableApplierTest, KeylessRowsKeepTheirMultiplicity) {
  world_.List(Shape(0));
  world_.Begin(1, 10);
  world_.Chunk(1, 0, {{1, "a", Null()}, {1, "a", Null()}, {1, "a", Null()}, {2, "b", "B"}});
  world_.End(1);
  world_.Change({Change(Op::kDelete, {1, "a", Null()}, 11, 1),
                 Change(Op::kDelete, {1, "a", Null()}, 11, 2),
                 Change(Op::kInsert, {2, "b", "B"}, 11, 3)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"1 a null", "2 b B", "2 b B"}));
  world_.Change({Change(Op::kDelete, {2, "b", "B"}, 12)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"1 a null", "2 b B"}));
}

TEST_F(TableApplierTest, AnAddedColumnComesWithItsRowsAndTurnsMappingOnForAnOddName) {
  Snapshot();
  world_.Change({Change(Op::kUpdate, {1, "aa", Unsent{}}, 11)});
  auto wider = fakes::MakeShape("100", "public", "t",
                                {{"id", arrow::int64()},
                                 {"note", arrow::utf8()},
                                 {"big", arrow::utf8()},
                                 {"Odd, name", arrow::timestamp(arrow::TimeUnit::MICRO)}});
  world_.NoteShape(wider, StagedWorld::At(12));
  world_.Change({Change(Op::kUpdate, {2, "bb", Unsent{}, 5}, 12)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"1 aa A null", "2 bb B 1970-01-01 00:00:00.000005"}));
  auto snapshot = delta::Table(world_.table_).Latest(nullptr).value();
  EXPECT_TRUE(snapshot->column_mapping());
  EXPECT_TRUE(snapshot->protocol.reader_features.contains("timestampNtz"));
  EXPECT_EQ(snapshot->columns[3].name, "Odd, name");
}

TEST_F(TableApplierTest, AShapeThatCannotBeFollowedIsRefused) {
  Snapshot();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  world_.NoteShape(Shape(1, "renamed"), StagedWorld::At(12));
  world_.Seal();
  auto applied = world_.ApplyAll(world_.Open().get());
  EXPECT_TRUE(applied.status().Is(ErrorClass::SHAPE_CHANGE_UNSUPPORTED));
}

TEST_F(TableApplierTest, ABrokenTableSaysSoAfterEverythingBeforeItIsApplied) {
  Snapshot();
  world_.Change({Change(Op::kInsert, {3, "c", "C"}, 11)});
  world_.Note(staging::TableBroken{world_.flow_.table, "KEY_CHANGED", "the key changed", "remedy"});
  world_.Seal();
  auto applied = world_.ApplyAll(world_.Open().get());
  EXPECT_TRUE(applied.status().Is(ErrorClass::KEY_CHANGED)) << applied.status().ToString();
  EXPECT_EQ(applied.status().remedy(), "remedy");
  EXPECT_EQ(world_.Rows(), (Lines{"1 a A", "2 b B", "3 c C"}));
}

TEST_F(TableApplierTest, ALostIndexCostsNoRows) {
  Snapshot();
  world_.Change({Change(Op::kUpdate, {1, "aa", "A"}, 11)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  world_.ForgetIndex();
  world_.Change({Change(Op::kUpdate, {1, "aaa", Unsent{}}, 12),
                 Change(Op::kDelete, {2, Null(), Null()}, 13)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"1 aaa A"}));
}

TEST_F(TableApplierTest, FilesWithoutALivingRowAreRemoved) {
  Snapshot();
  world_.Change({Change(Op::kDelete, {1, Null(), Null()}, 11)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  auto snapshot = delta::Table(world_.table_).Latest(nullptr).value();
  ASSERT_EQ(snapshot->files.size(), 1u);
  EXPECT_FALSE(snapshot->files.begin()->second.deletion_vector.has_value());
}

TEST_F(TableApplierTest, AnotherProcessThatAppliedMakesThisOneAZombie) {
  Snapshot();
  auto first = world_.Open();
  EXPECT_EQ(Settle(first.get()), Applied::State::kCurrent);
  world_.Change({Change(Op::kInsert, {3, "c", "C"}, 11)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_TRUE(world_.ApplyAll(first.get()).status().Is(ErrorClass::COMMIT_ZOMBIE));
  EXPECT_EQ(world_.Rows(), (Lines{"1 a A", "2 b B", "3 c C"}));
}

TEST_F(TableApplierTest, AForeignCommitIsFollowed) {
  Snapshot();
  auto applier = world_.Open();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  world_.Change({Change(Op::kUpdate, {1, "aa", "A"}, 11)});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  // Another writer compacts all rows to one new file.
  delta::Table table(world_.table_);
  auto base = table.Latest(nullptr).value();
  auto file = world_.Encode({{2, "b", "B"}, {1, "aa", "A"}});
  ASSERT_TRUE(
      world_.table_->Put("foreign.parquet", std::string_view(*file.bytes), store::If::kAbsent)
          .ok());
  std::vector<delta::Action> actions;
  for (const auto& [path, old] : base->files) {
    delta::RemoveFile remove;
    remove.path = path;
    remove.deletion_vector = old.deletion_vector;
    actions.emplace_back(remove);
  }
  delta::AddFile add;
  add.path = "foreign.parquet";
  add.bytes = file.bytes->size();
  actions.emplace_back(add);
  delta::CommitInfo info;
  info.operation = "OPTIMIZE";
  info.txn_id = "foreign";
  ASSERT_TRUE(table.Commit(base, info, actions).ok());

  world_.Change({Change(Op::kUpdate, {1, "aaa", Unsent{}}, 12),
                 Change(Op::kDelete, {2, Null(), Null()}, 12, 2)});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"1 aaa A"}));
}

TEST_F(TableApplierTest, ATableThatLostItsPositionIsRefused) {
  Snapshot();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  StagedWorld other;
  other.List(Shape());
  other.Seal();
  other.table_ = world_.table_;
  EXPECT_TRUE(other.Open()->Current().status().Is(ErrorClass::POSITION_LOST));
  other.table_ = store::MakeMemoryStore();
  EXPECT_TRUE(other.Open(true)->Current().status().Is(ErrorClass::POSITION_LOST));
}

TEST_F(TableApplierTest, AForeignTableIsRefused) {
  delta::Table table(world_.table_);
  delta::NewTable foreign;
  foreign.columns = {{"id", "id", record::ColumnId(1), arrow::int64()}};
  auto [protocol, metadata] = delta::Describe(foreign, 0);
  delta::CommitInfo info;
  info.txn_id = "foreign";
  ASSERT_TRUE(table.Commit(nullptr, info, {protocol, metadata}).ok());
  EXPECT_TRUE(world_.Open()->Current().status().Is(ErrorClass::TABLE_FOREIGN));
}

TEST_F(TableApplierTest, ManyCommitsLeaveACheckpoint) {
  Snapshot();
  auto applier = world_.Open();
  for (uint64_t i = 0; i < static_cast<uint64_t>(limits::kCommitsPerCheckpoint) + 3; ++i) {
    world_.Change({Change(Op::kUpdate, {1, fmt::format("a{}", i), Unsent{}}, 11 + i)});
    world_.Seal();
    ASSERT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  }
  auto snapshot = delta::Table(world_.table_).Latest(nullptr).value();
  EXPECT_EQ(snapshot->checkpoint_version, limits::kCommitsPerCheckpoint);
  EXPECT_EQ(world_.Rows(),
            (Lines{fmt::format("1 a{} A", limits::kCommitsPerCheckpoint + 2), "2 b B"}));
}

}  // namespace
}  // namespace freshet::apply
