// SPDX-License-Identifier: Apache-2.0
#include "apply/table_applier.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "apply/applied_table_test.h"
#include "apply/live_rows.h"
#include "delta/deletion_vector.h"
#include "delta/stats.h"

namespace freshet::apply {
namespace {

using TableApplierTest = AppliedTableTest;

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
  auto retyped =
      fakes::MakeShape("100", "public", "t",
                       {{"id", arrow::int64()}, {"note", arrow::int64()}, {"big", arrow::utf8()}});
  world_.NoteShape(retyped, StagedWorld::At(12));
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

TEST_F(TableApplierTest, AFoldAboveItsLimitGoesSliceBySliceIntoOneCommit) {
  Snapshot();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  world_.fold_bytes_max_ = 1;
  world_.compaction_.files_min = 1000;  // each slice leaves a file
  int64_t version = world_.Version();
  // Each key moves onto the place of the one before it: all of them hang together, and every unsent
  // value is that of a row which an earlier slice wrote.
  for (uint64_t i = 0; i < 10; ++i) {
    auto key = static_cast<int64_t>(i == 0 ? 1 : 10 + i);
    world_.Change(
        {Change(Op::kDelete, {key, Null(), Null()}, 11 + i, 1),
         Change(Op::kInsert, {static_cast<int64_t>(11 + i), "moved", Unsent{}}, 11 + i, 2),
         Change(Op::kInsert, {key, "new", fmt::format("N{}", i)}, 11 + i, 3)});
    world_.Seal();
  }
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Version(), version + 1);
  EXPECT_EQ(world_.Rows(),
            (Lines{"1 new N0", "11 new N1", "12 new N2", "13 new N3", "14 new N4", "15 new N5",
                   "16 new N6", "17 new N7", "18 new N8", "19 new N9", "2 b B", "20 moved A"}));
  // The index knows the rows where they are now.
  world_.Change({Change(Op::kUpdate, {20, "twenty", Unsent{}}, 40),
                 Change(Op::kDelete, {11, Null(), Null()}, 40, 2),
                 Change(Op::kUpdate, {2, "bb", Unsent{}}, 40, 3)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  auto rows = world_.Rows();
  EXPECT_EQ(rows.size(), 11u);
  EXPECT_EQ(rows.back(), "20 twenty A");
}

TEST_F(TableApplierTest, SlicesBehindATruncateSeeNothingOfWhatWasBefore) {
  Snapshot();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  world_.fold_bytes_max_ = 1;
  world_.Truncate(11);
  world_.Change({Change(Op::kInsert, {1, "n", "N"}, 12)});
  world_.Seal();
  world_.Change({Change(Op::kUpdate, {1, "nn", Unsent{}}, 13),
                 Change(Op::kDelete, {2, Null(), Null()}, 13, 2)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"1 nn N"}));
}

TEST_F(TableApplierTest, AFileThatDoesNotSayItsRowsGetsThemWithItsVector) {
  Snapshot();
  auto applier = world_.Open();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  delta::Table table(world_.table_);
  auto base = table.Latest(nullptr).value();
  std::vector<delta::Action> actions;
  for (const auto& [path, old] : base->files) {
    actions.emplace_back(RemoveOf(old, 0));
    delta::AddFile add = old;
    add.stats_json.clear();
    actions.emplace_back(add);
  }
  delta::CommitInfo info;
  info.txn_id = "foreign";
  auto file = world_.Encode({{3, "c", "C"}, {4, "d", "D"}});
  ASSERT_TRUE(
      world_.table_->Put("foreign.parquet", std::string_view(*file.bytes), store::If::kAbsent)
          .ok());
  delta::AddFile add;
  add.path = "foreign.parquet";
  add.bytes = file.bytes->size();
  actions.emplace_back(add);
  ASSERT_TRUE(table.Commit(base, info, actions).ok());
  world_.Change({Change(Op::kDelete, {1, Null(), Null()}, 12),
                 Change(Op::kDelete, {3, Null(), Null()}, 12, 2)});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), (Lines{"2 b B", "4 d D"}));
  auto snapshot = table.Latest(nullptr).value();
  ASSERT_EQ(snapshot->files.size(), 2u) << "the file of row 1 has no living row left";
  EXPECT_EQ(delta::RowsOf(snapshot->files.at("foreign.parquet").stats_json), 2);
}

TEST_F(TableApplierTest, AnIndexBehindAVacuumedVectorReadsTheFileAgain) {
  world_.List(Shape());
  world_.Begin(1, 10);
  std::vector<fakes::Row> rows;
  for (int64_t i = 0; i < 3000; ++i) rows.push_back({i, "a", "A"});
  world_.Chunk(1, 0, rows);
  world_.End(1);
  std::vector<ChangeRow> deletes;  // scattered: a vector too large to lie in the log
  for (int64_t i = 0; i < 3000; i += 2 + i % 3)
    deletes.push_back(Change(Op::kDelete, {i, Null(), Null()}, 11, static_cast<uint64_t>(i) + 1));
  world_.Change(deletes);
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  delta::Table table(world_.table_);
  auto base = table.Latest(nullptr).value();
  ASSERT_EQ(base->files.size(), 1u);
  delta::AddFile add = base->files.begin()->second;
  std::vector<delta::Action> actions = {RemoveOf(add, 0)};
  delta::DeletionVector fewer;
  for (uint64_t i = 0; i < 3000; i += 7) fewer.Add(i);
  add.deletion_vector = delta::DeletionVector::Write(*world_.table_, {fewer}).value().front();
  actions.emplace_back(add);
  delta::CommitInfo info;
  info.txn_id = "foreign";
  ASSERT_TRUE(table.Commit(base, info, actions).ok());
  auto files = world_.table_->List("", "", 100).value();
  auto old = delta::RemoveFile(std::get<delta::RemoveFile>(actions[0])).deletion_vector;
  ASSERT_EQ(old->storage, 'u');
  int vacuumed = 0;
  auto current = table.Latest(nullptr).value()->files.begin()->second.deletion_vector;
  for (const auto& file : files) {
    if (!file.path.starts_with("deletion_vector_")) continue;
    auto bytes = world_.table_->Get(file.path, 0, -1).value();
    if (static_cast<int64_t>(bytes->size()) == *old->offset + old->bytes + 8) {
      ASSERT_TRUE(world_.table_->Remove(file.path).ok());
      ++vacuumed;
    }
  }
  ASSERT_EQ(vacuumed, 1);
  world_.Change({Change(Op::kUpdate, {2, "found", Unsent{}}, 12)});
  world_.Seal();
  EXPECT_EQ(Settle(), Applied::State::kCurrent);
  auto live = world_.Rows();
  EXPECT_EQ(live.size(), 3000u - 429u);
  EXPECT_EQ(std::count(live.begin(), live.end(), "2 found A"), 1);
}

TEST_F(TableApplierTest, ManyCommitsLeaveACheckpoint) {
  Snapshot();
  auto applier = world_.Open();
  for (uint64_t i = 0; i < static_cast<uint64_t>(limits::kCommitsPerCheckpointMin) + 3; ++i) {
    world_.Change({Change(Op::kUpdate, {1, fmt::format("a{}", i), Unsent{}}, 11 + i)});
    world_.Seal();
    ASSERT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  }
  auto snapshot = delta::Table(world_.table_).Latest(nullptr).value();
  EXPECT_EQ(snapshot->checkpoint_version, limits::kCommitsPerCheckpointMin);
  EXPECT_EQ(world_.Rows(),
            (Lines{fmt::format("1 a{} A", limits::kCommitsPerCheckpointMin + 2), "2 b B"}));
}

TEST_F(TableApplierTest, WhatOutlivedItsRetentionGoesWithACheckpoint) {
  Snapshot();
  auto applier = world_.Open();
  auto change = [&](int64_t i) {
    world_.Change(
        {Change(Op::kUpdate, {1, fmt::format("a{}", i), Unsent{}}, 11 + static_cast<uint64_t>(i))});
    world_.Seal();
    ASSERT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  };
  for (int64_t i = 0; i < limits::kCommitsPerCheckpoint; ++i) change(i);
  const auto old = world_.table_->List("", "", 10'000, true);
  ASSERT_TRUE(old.ok());
  world_.clock_.Advance(std::chrono::hours(24 * 40));
  const auto again = 2 * limits::kCommitsPerCheckpoint + 5;
  for (int64_t i = limits::kCommitsPerCheckpoint; i < again; ++i) change(i);
  const auto stays = std::count_if(old->begin(), old->end(), [&](const auto& file) {
    return world_.table_->Stat(file.path).ok();
  });
  EXPECT_LT(stays, 10) << "of " << old->size();
  EXPECT_EQ(world_.Rows(), (Lines{fmt::format("1 a{} A", again - 1), "2 b B"}));
  // A new applier, and an index that has to be built again, find all they need.
  world_.ForgetIndex();
  applier = world_.Open(/*created_before=*/true);
  change(again);
  EXPECT_EQ(world_.Rows(), (Lines{fmt::format("1 a{} A", again), "2 b B"}));
}

TEST_F(TableApplierTest, AWiderTypeThatIsNotedWhileItIsReadAgain) {
  world_.properties_["delta.enableTypeWidening"] = "true";
  auto shape = [](std::shared_ptr<arrow::DataType> type) {
    return fakes::MakeShape("100", "public", "t", {{"id", arrow::int64()}, {"n", std::move(type)}},
                            1);
  };
  world_.List(shape(arrow::int32()));
  world_.Begin(1, 10);
  world_.Chunk(1, 0, {{1, 11}});
  world_.End(1);
  world_.Seal();
  ASSERT_EQ(Settle(), Applied::State::kCurrent);
  world_.Begin(2, 20);
  world_.Chunk(2, 0, {{1, 11}});
  world_.End(2);
  world_.Seal();
  world_.NoteShape(shape(arrow::int64()), StagedWorld::At(21, 0));
  world_.Change({Change(Op::kUpdate, {1, 5'000'000'000}, 22)});
  world_.Seal();
  ASSERT_EQ(Settle(), Applied::State::kCurrent);
  EXPECT_EQ(world_.Rows(), Lines{"1 5000000000"});
}

}  // namespace
}  // namespace freshet::apply
