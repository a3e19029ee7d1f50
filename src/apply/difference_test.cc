// SPDX-License-Identifier: Apache-2.0
// Tables that the log does not tell of: what a new reading makes of the table.
#include <gmock/gmock.h>

#include "apply/applied_table_test.h"

namespace freshet::apply {
namespace {

using testing::ElementsAre;

/// Keeps the events of one name.
class Rereads final : public record::Observer {
 public:
  void OnEvent(const record::Event& event) override {
    if (event.name == "table_reread") events.push_back(event);
  }
  int64_t Number(std::string_view field) const {
    for (const auto& [name, value] : events.back().fields) {
      if (name == field) return std::get<int64_t>(value);
    }
    return -1;
  }
  std::vector<record::Event> events;
};

class DifferenceTest : public AppliedTableTest {
 protected:
  /// A table of three rows that was read once.
  void Create(int key_columns) {
    auto shape = Shape(key_columns);
    shape.logged = false;
    world_.List(shape);
    world_.Begin(1, 10);
    world_.Chunk(1, 0, {{1, "a", "A"}, {2, "b", Null()}});
    world_.Chunk(1, 1, {{2, "b", Null()}});
    world_.End(1);
    world_.Seal();
  }
  void Begin(int64_t generation, uint64_t position) {
    staging::GenerationBegun begun;
    begun.flow = world_.flow_.id;
    begun.table = world_.flow_.table;
    begun.generation = record::Generation(generation);
    begun.position = StagedWorld::At(position, 0);
    begun.taken_at = static_cast<UtcMicros>(position);
    begun.shape_version = world_.shape_version_;
    begun.first_segment = world_.writer_->next();
    begun.difference = true;
    world_.Note(begun);
  }
  void Read(int64_t generation, const std::vector<fakes::Row>& rows) {
    Begin(generation, static_cast<uint64_t>(generation) * 10);
    world_.Chunk(generation, 0, rows);
    world_.End(generation);
    world_.Seal();
  }
  std::unique_ptr<TableApplier> Open() {
    TableApplier::Context context;
    context.staging = world_.reader_.get();
    context.table = world_.table_;
    context.root = world_.root_;
    context.staging_prefix = "_freshet/staging";
    context.table_prefix = "public/t";
    context.shadow = store::Below(world_.root_, "_freshet/shadows/t-flow");
    context.shadow_prefix = "_freshet/shadows/t-flow";
    context.index = world_.index_.get();
    context.clock = &world_.clock_;
    context.observer = &rereads_;
    context.scratch_folder = std::filesystem::temp_directory_path().string();
    context.pipeline_mark = "pipeline";
    context.passed = passed_;
    context.difference_bytes_max = difference_bytes_max_;
    return std::move(TableApplier::Open(world_.flow_, std::move(context))).value();
  }

  Rereads rereads_;
  record::SegmentNumber passed_;
  size_t difference_bytes_max_ = limits::kDifferenceBytesMax;
};

TEST_F(DifferenceTest, OneCommitTakesWhatDiffersAndNoneWhatDoesNot) {
  Create(0);
  auto applier = Open();
  Settle(applier.get());
  const int64_t version = world_.Version();
  Read(2, {{2, "b", Null()}, {1, "a", "A"}, {3, "c", "C"}});
  auto applied = applier->Apply(world_.sealed_, {});
  ASSERT_TRUE(applied.ok()) << applied.status().ToString();
  EXPECT_EQ(applied->state, Applied::State::kCommitted);
  EXPECT_EQ(applied->rows_inserted, 1);
  EXPECT_EQ(applied->rows_deleted, 1);
  EXPECT_EQ(world_.Version(), version + 1);
  EXPECT_THAT(world_.Rows(), ElementsAre("1 a A", "2 b null", "3 c C"));
  auto settled = applier->Apply(world_.sealed_, {});
  ASSERT_TRUE(settled.ok());
  EXPECT_EQ(settled->state, Applied::State::kCurrent);
  EXPECT_TRUE(settled->reread);
  EXPECT_FALSE(applier->Apply(world_.sealed_, {})->reread) << "it is told once";
  Read(3, {{3, "c", "C"}, {2, "b", Null()}, {1, "a", "A"}});
  settled = applier->Apply(world_.sealed_, {});
  ASSERT_TRUE(settled.ok());
  EXPECT_EQ(settled->state, Applied::State::kCurrent);
  EXPECT_TRUE(settled->reread);
  EXPECT_EQ(world_.Version(), version + 1);
  ASSERT_EQ(rereads_.events.size(), 2U);
  EXPECT_EQ(rereads_.Number("rows"), 3);
  EXPECT_EQ(rereads_.Number("read_at"), 30);
  EXPECT_EQ(Settle(Open().get()), Applied::State::kCurrent);
  EXPECT_EQ(rereads_.events.size(), 3U) << "comparing again changes nothing";
  EXPECT_EQ(world_.Version(), version + 1);
}

TEST_F(DifferenceTest, WhatAFormerProcessComparedIsNotComparedAgain) {
  Create(0);
  Settle(Open().get());
  Read(2, {{1, "a", "A"}});
  passed_ = world_.sealed_;
  Settle(Open().get());
  EXPECT_TRUE(rereads_.events.empty());
  Read(3, {{1, "a", "A"}});
  Settle(Open().get());
  EXPECT_THAT(world_.Rows(), ElementsAre("1 a A"));
}

TEST_F(DifferenceTest, ByItsKeyARowThatDiffersIsUpdated) {
  auto shape = Shape(1);
  shape.logged = false;
  world_.List(shape);
  world_.Begin(1, 10);
  world_.Chunk(1, 0, {{1, "a", "A"}, {2, "b", "B"}, {3, "c", "C"}});
  world_.End(1);
  world_.Seal();
  auto applier = Open();
  Settle(applier.get());
  Read(2, {{1, "a", "A"}, {2, "bb", "B"}, {4, "d", "D"}});
  auto applied = applier->Apply(world_.sealed_, {});
  ASSERT_TRUE(applied.ok()) << applied.status().ToString();
  EXPECT_EQ(applied->rows_updated, 1);
  EXPECT_EQ(applied->rows_inserted, 1);
  EXPECT_EQ(applied->rows_deleted, 1);
  EXPECT_THAT(world_.Rows(), ElementsAre("1 a A", "2 bb B", "4 d D"));
}

TEST_F(DifferenceTest, AReadingThatIsNotCompleteOrWasGivenUpIsNotTaken) {
  Create(0);
  auto applier = Open();
  Settle(applier.get());
  const int64_t version = world_.Version();
  Begin(2, 20);
  world_.Chunk(2, 0, {{9, "x", "X"}});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  world_.Note(staging::GenerationAbandoned{world_.flow_.id, world_.flow_.table,
                                           record::Generation(2), record::Generation(3), "gone"});
  world_.Seal();
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  EXPECT_EQ(world_.Version(), version);
  Read(3, {{1, "a", "A"}});
  Settle(applier.get());
  EXPECT_THAT(world_.Rows(), ElementsAre("1 a A"));
}

TEST_F(DifferenceTest, OneWhosePartsAreGoneIsPassedOver) {
  Create(0);
  auto applier = Open();
  Settle(applier.get());
  Read(2, {{9, "x", "X"}});
  auto parts = world_.staging_->List("parts/100/t-flow/2", "", 100, true);
  ASSERT_TRUE(parts.ok());
  ASSERT_EQ(parts->size(), 1U);
  ASSERT_TRUE(world_.staging_->Remove(parts->front().path).ok());
  EXPECT_EQ(Settle(applier.get()), Applied::State::kCurrent);
  EXPECT_THAT(world_.Rows(), ElementsAre("1 a A", "2 b null", "2 b null"));
  EXPECT_TRUE(rereads_.events.empty());
  Read(3, {{9, "x", "X"}});
  Settle(applier.get());
  EXPECT_THAT(world_.Rows(), ElementsAre("9 x X"));
}

TEST_F(DifferenceTest, WhereNoReadingWasTakenYetTheFirstThatIsThereIsTakenWhole) {
  Create(0);
  Read(2, {{9, "x", "X"}});
  Settle(Open().get());
  EXPECT_THAT(world_.Rows(), ElementsAre("9 x X"));
}

TEST_F(DifferenceTest, AColumnThatCameIsAddedWithTheDifference) {
  Create(0);
  auto applier = Open();
  Settle(applier.get());
  auto shape = fakes::MakeShape("100", "public", "t",
                                {{"id", arrow::int64()},
                                 {"note", arrow::utf8()},
                                 {"big", arrow::utf8()},
                                 {"more", arrow::int64()}},
                                0);
  shape.logged = false;
  world_.NoteShape(shape, StagedWorld::At(20));
  Read(2, {{1, "a", "A", Null()}, {2, "b", Null(), 7}});
  Settle(applier.get());
  EXPECT_THAT(world_.Rows(), ElementsAre("1 a A null", "2 b null 7"));
}

TEST_F(DifferenceTest, WhatDoesNotFitInMemoryIsPutAside) {
  difference_bytes_max_ = 64;
  Create(0);
  auto applier = Open();
  Settle(applier.get());
  std::vector<fakes::Row> rows;
  for (int64_t id = 0; id < 500; ++id) rows.push_back({id % 250, "n", "N"});
  Read(2, rows);
  Settle(applier.get());
  EXPECT_EQ(world_.Rows().size(), 500U);
  rows.resize(250);
  Read(3, rows);
  Settle(applier.get());
  EXPECT_EQ(world_.Rows().size(), 250U);
  EXPECT_EQ(rereads_.Number("deleted"), 250);
  EXPECT_EQ(rereads_.Number("inserted"), 0);
}

}  // namespace
}  // namespace freshet::apply
