// SPDX-License-Identifier: Apache-2.0
#include "pipeline/update.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/update_fixture_test.h"
#include "staging/unread.h"

namespace freshet::pipeline {
namespace {

using apply::Applied;
using record::SegmentNumber;
using record::TableId;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST_F(UpdateTest, WishesEverySelectedTableOnce) {
  Stage("1", "a");
  Stage("2", "b");
  Stage("3", "c");
  PipelineSpec spec;
  spec.excludes.push_back(TablePattern::Parse("*.b").value());
  auto update = Open(spec);
  EXPECT_TRUE(Step(*update).settled);
  EXPECT_THAT(Wishes(), UnorderedElementsAre("t1/1", "t3/1"));
  EXPECT_THAT(opened_, ElementsAre("t1 public/a false", "t3 public/c false"));
  EXPECT_THAT(events_.lines, ElementsAre("table_found public.a", "table_found public.c",
                                         "table_current public.a", "table_current public.c"));
}

TEST_F(UpdateTest, OneCommitATableAndRound) {
  Stage("1", "a");
  Stage("2", "b");
  script_.answers["a"] = {Committed(3), Committed(4)};
  auto update = Open();
  EXPECT_FALSE(Step(*update).settled);
  EXPECT_THAT(script_.calls, ElementsAre("a@2", "b@2"));
  EXPECT_FALSE(Step(*update).settled);
  EXPECT_TRUE(Step(*update).settled);
  EXPECT_THAT(script_.calls, ElementsAre("a@2", "b@2", "a@2", "a@2"));
}

TEST_F(UpdateTest, ATableThatWasReadAgainIsCurrentAgain) {
  Stage("1", "a");
  auto update = Open();
  EXPECT_FALSE(Step(*update).reread);
  Stage("1", "a");
  Applied applied;
  applied.reread = true;
  script_.answers["a"] = {applied};
  events_.lines.clear();
  EXPECT_TRUE(Step(*update).reread);
  EXPECT_THAT(events_.lines, ElementsAre("table_current public.a"));
}

TEST_F(UpdateTest, OnlyTablesThatASegmentTouchesAreAsked) {
  Stage("1", "a");
  Stage("2", "b");
  auto update = Open();
  Step(*update);
  script_.calls.clear();
  Step(*update);
  EXPECT_THAT(script_.calls, IsEmpty());
  Stage("2", "b");
  auto round = Step(*update);
  EXPECT_EQ(round.through.value(), 3);
  EXPECT_THAT(script_.calls, ElementsAre("b@3"));
}

TEST_F(UpdateTest, AFailedTableLeavesTheOthersGoing) {
  Stage("1", "a");
  Stage("2", "b");
  script_.answers["a"] = {Error(ErrorClass::VALUE_NOT_SENT, "x")};
  auto update = Open();
  EXPECT_TRUE(Step(*update).settled);
  EXPECT_THAT(events_.lines, testing::Contains("table_failed public.a"));
  Stage("1", "a");
  Stage("2", "b");
  script_.calls.clear();
  Step(*update);
  EXPECT_THAT(script_.calls, ElementsAre("b@4"));
}

TEST_F(UpdateTest, WhatWasNeverWholeIsAskedForAnewWhateverThePolicy) {
  Stage("1", "a");
  auto update = Open();
  Step(*update);
  script_.answers["a"].assign(2, Error(ErrorClass::SNAPSHOT_STALE, "x"));
  for (int i = 0; i < 2; ++i) {
    writer_->Note(Begin("1", "t1", 1));
    Seal();
    Step(*update);
    EXPECT_THAT(Wishes(), testing::AllOf(Contains("t1/2"), testing::Not(Contains("t1/3"))));
  }
  update->FailStale();
  EXPECT_THAT(events_.lines, Contains("table_failed public.a")) << "nobody reads it in this run";
}

TEST_F(UpdateTest, WhatConcernsAllEndsTheStep) {
  Stage("1", "a");
  script_.answers["a"] = {Error(ErrorClass::STORE_UNAVAILABLE, "x")};
  auto update = Open();
  EXPECT_TRUE(update->Step({}).status().Is(ErrorClass::STORE_UNAVAILABLE));
}

TEST_F(UpdateTest, ALostCommitRaceIsTriedAgainButNotForEver) {
  Stage("1", "a");
  for (int i = 0; i < 20; ++i)
    script_.answers["a"].push_back(Error(ErrorClass::DELTA_CONFLICT, "x"));
  auto update = Open();
  int rounds = 1;
  while (!Step(*update).settled) ++rounds;
  EXPECT_EQ(rounds, 8);
  EXPECT_EQ(events_.lines.back(), "table_failed public.a");
}

TEST_F(UpdateTest, ARestartKnowsWhichTablesWereMade) {
  Stage("1", "a");
  script_.answers["a"] = {Committed(1)};
  Step(*Open());
  Step(*Open());
  EXPECT_THAT(opened_, ElementsAre("t1 public/a false", "t1 public/a true"));
}

TEST_F(UpdateTest, ATableTakesTheFolderOfTheOneWhoseNameItHas) {
  Stage("1", "a");
  script_.answers["a"] = {Committed(1)};
  auto update = Open();
  Step(*update);
  Stage("9", "a", TableId("1"));
  Step(*update);
  Step(*Open());
  EXPECT_THAT(opened_, ElementsAre("t1 public/a false", "t9 public/a false", "t9 public/a false"));
  EXPECT_THAT(Wishes(), Contains("t9/1"));
}

TEST_F(UpdateTest, ABrokenTableThatIsFollowedAgainIsNoLongerFailed) {
  Stage("1", "a");
  auto update = Open();
  Step(*update);
  writer_->Note(staging::TableBroken{.table = TableId("1"),
                                     .error_class = "KEY_CHANGED",
                                     .message = "its changes ended",
                                     .remedy = "none"});
  Seal();
  script_.answers["a"] = {Error(ErrorClass::KEY_CHANGED, "its changes ended")};
  Step(*update);
  EXPECT_EQ(events_.lines.back(), "table_failed public.a");
  Stage("1", "a");
  Step(*update);
  EXPECT_EQ(events_.lines.back(), "table_current public.a");
}

TEST_F(UpdateTest, AnotherTableOfTheNameDoesNotTakeTheFolder) {
  Stage("1", "a");
  auto update = Open();
  Step(*update);
  Stage("9", "a");
  Step(*update);
  EXPECT_EQ(events_.lines.back(), "table_failed public.a");
  EXPECT_EQ(StatusOf(events_.last).error_class(), ErrorClass::TABLE_RECREATED);
}

TEST_F(UpdateTest, AForeignFolderIsRefused) {
  ASSERT_TRUE(root_->Put("public/a/report.csv", "x", store::If::kAlways).ok());
  Stage("1", "a");
  Step(*Open());
  EXPECT_EQ(StatusOf(events_.last).error_class(), ErrorClass::TABLE_FOREIGN);
  EXPECT_THAT(Wishes(), IsEmpty());
}

TEST_F(UpdateTest, PublishesItsFloor) {
  Stage("1", "a");
  auto update = Open();
  Step(*update);
  ASSERT_TRUE(update->Tidy().ok());
  auto readers = staging::ListReaders(*staging_);
  ASSERT_TRUE(readers.ok());
  ASSERT_EQ(readers->size(), 1u);
  EXPECT_EQ(readers->front().floor.value(), 1);
}

TEST_F(UpdateTest, KeepsWhatAGenerationBeingReadWillTake) {
  Stage("1", "a");
  Stage("2", "b");
  script_.answers["a"] = {Applied{.state = Applied::State::kCurrent,
                                  .through = SegmentNumber(2),
                                  .needed_after = SegmentNumber(1)}};
  auto update = Open();
  Step(*update);
  ASSERT_TRUE(update->Tidy().ok());
  EXPECT_EQ(staging::ListReaders(*staging_).value().front().floor.value(), 1);
  Stage("1", "a");
  Step(*update);
  ASSERT_TRUE(update->Tidy().ok());
  EXPECT_EQ(staging::ListReaders(*staging_).value().front().floor.value(), 3);
}

TEST_F(UpdateTest, TellsOnceThatATableIsBeingRefreshed) {
  Stage("1", "a");
  Applied beside{.state = Applied::State::kRefreshed, .through = SegmentNumber(1)};
  Applied swapped{
      .state = Applied::State::kCommitted, .swapped = true, .version = 7, .through = {}};
  script_.answers["a"] = {beside, beside, swapped, beside};
  auto update = Open();
  for (int i = 0; i < 5; ++i) Step(*update);
  EXPECT_THAT(events_.lines, ElementsAre("table_found public.a", "table_refreshing public.a",
                                         "table_committed public.a", "table_refreshing public.a",
                                         "table_current public.a"));
}

TEST_F(UpdateTest, ABrokenTableHoldsNothingBack) {
  Stage("1", "a");
  Stage("2", "b");
  writer_->Note(staging::TableBroken{.table = record::TableId("2"),
                                     .error_class = "KEY_CHANGED",
                                     .message = "its changes ended",
                                     .remedy = "none"});
  ASSERT_TRUE(writer_->Seal({"x"}, 0).ok());
  auto update = Open();
  Step(*update);
  ASSERT_TRUE(update->Tidy().ok());
  EXPECT_EQ(staging::ListReaders(*staging_).value().front().floor.value(), 3);
}

TEST_F(UpdateTest, PipelinesOverOneStagingHaveFlowsOfTheirOwn) {
  Stage("1", "a");
  Step(*Open({}, "one"));
  PipelineSpec elsewhere;
  elsewhere.objects.push_back({.source_catalog = {},
                               .source_schema = "public",
                               .source_table = {},
                               .destination_schema = "elsewhere",
                               .destination_table = {}});
  Step(*Open(elsewhere, "two"));
  EXPECT_THAT(Wishes(), UnorderedElementsAre("one-t1/1", "two-t1/1"));
  EXPECT_EQ(staging::ListReaders(*staging_)->size(), 2u);
}

TEST_F(UpdateTest, ATableIsStagedOnceTheSnapshotThatWasWishedHasEnded) {
  Stage("1", "a");
  auto update = Open({}, "one");
  EXPECT_FALSE(Step(*update).staged);
  auto begun = Begin("1", "one-t1", 1);
  Seal();
  EXPECT_FALSE(Step(*update).staged) << "it is being read";
  End(begun);
  Seal();
  EXPECT_TRUE(Step(*update).staged);
  // Somebody asks for another.
  ASSERT_TRUE(
      staging::PutWish(*staging_, {record::FlowId("one-t1"), TableId("1"), record::Generation(2)})
          .ok());
  auto next = Open({}, "one");
  EXPECT_FALSE(Step(*next).staged);
  End(Begin("1", "one-t1", 2));
  Seal();
  EXPECT_TRUE(Step(*next).staged);
  // Its rows are no longer what the changes make of them.
  writer_->Note(staging::GenerationAbandoned{.flow = record::FlowId("one-t1"),
                                             .table = TableId("1"),
                                             .generation = record::Generation(2),
                                             .successor = record::Generation(3),
                                             .why = "x",
                                             .untold = true});
  Seal();
  EXPECT_FALSE(Step(*next).staged);
}

TEST_F(UpdateTest, NobodyWaitsForATableThatFailed) {
  Stage("1", "a");
  writer_->Note(staging::TableBroken{
      .table = TableId("1"), .error_class = "KEY_CHANGED", .message = "x", .remedy = "none"});
  Seal();
  EXPECT_TRUE(Step(*Open({}, "one")).staged);
}

TEST_F(UpdateTest, WhatTheLogDoesNotTellOfIsWishedAgainOncePerUpdate) {
  logged_ = false;
  Stage("1", "a");
  End(Begin("1", "one-t1", 1));
  Seal();
  Step(*Open({}, "one"));
  EXPECT_THAT(Wishes(), IsEmpty()) << "a continuous one leaves that to the gateway";
  auto update = Open({}, "one", true);
  EXPECT_FALSE(Step(*update).staged);
  EXPECT_THAT(Wishes(), ElementsAre("one-t1/2"));
  End(Begin("1", "one-t1", 2));
  Seal();
  EXPECT_TRUE(Step(*update).staged);
  EXPECT_THAT(Wishes(), ElementsAre("one-t1/2"));
}

TEST_F(UpdateTest, AReadingThatWasUnderWayBeforeTheUpdateIsNotEnough) {
  logged_ = false;
  Stage("1", "a");
  auto begun = Begin("1", "one-t1", 2, /*difference=*/true);
  Seal();
  auto update = Open({}, "one", true);
  EXPECT_FALSE(Step(*update).staged);
  EXPECT_THAT(Wishes(), ElementsAre("one-t1/3"));
  End(begun);
  Seal();
  EXPECT_FALSE(Step(*update).staged);
  End(Begin("1", "one-t1", 3));
  Seal();
  EXPECT_TRUE(Step(*update).staged);
}

TEST_F(UpdateTest, OneThatCouldNotBeReadIsNotWaitedForOnceThatIsSaid) {
  logged_ = false;
  Stage("1", "a");
  const staging::UnreadKey key{TableId("1"), record::FlowId("one-t1")};
  const auto why = Error(ErrorClass::SOURCE_QUERY, "division by zero").WithRemedy("Mend it.");
  // What was said to an update before is none of this one's.
  ASSERT_TRUE(staging::PutUnread(*staging_, key, why).ok());
  auto update = Open({}, "one", true);
  EXPECT_FALSE(Step(*update).staged);
  EXPECT_THAT(*staging::ListUnread(*staging_), IsEmpty()) << "it is to be tried again";
  EXPECT_THAT(Wishes(), ElementsAre("one-t1/1"));
  ASSERT_TRUE(staging::PutUnread(*staging_, key, why).ok());
  EXPECT_TRUE(Step(*update).staged);
  EXPECT_EQ(events_.lines.back(), "table_unread public.a");
  EXPECT_EQ(StatusOf(events_.last).error_class(), ErrorClass::SOURCE_QUERY);
  events_.lines.clear();
  EXPECT_TRUE(Step(*update).staged);
  EXPECT_THAT(events_.lines, IsEmpty()) << "it is told once";
}

TEST_F(UpdateTest, OneThatCouldNotBeReadAgainIsTriedAgainByTheNextUpdate) {
  logged_ = false;
  Stage("1", "a");
  End(Begin("1", "one-t1", 1));
  Seal();
  auto update = Open({}, "one", true);
  EXPECT_FALSE(Step(*update).staged);
  auto begun = Begin("1", "one-t1", 2);
  writer_->Note(staging::GenerationAbandoned{.flow = begun.flow,
                                             .table = begun.table,
                                             .generation = begun.generation,
                                             .successor = record::Generation(3),
                                             .why = "unreadable"});
  Seal();
  EXPECT_FALSE(Step(*update).staged) << "it may have been rewritten meanwhile, and is read again";
  const staging::UnreadKey key{TableId("1"), begun.flow};
  ASSERT_TRUE(staging::PutUnread(*staging_, key, Error(ErrorClass::SOURCE_QUERY, "x")).ok());
  EXPECT_TRUE(Step(*update).staged);
  auto next = Open({}, "one", true);
  EXPECT_FALSE(Step(*next).staged);
  EXPECT_THAT(Wishes(), Contains("one-t1/3"));
  EXPECT_THAT(*staging::ListUnread(*staging_), IsEmpty());
  End(Begin("1", "one-t1", 3));
  Seal();
  EXPECT_TRUE(Step(*next).staged);
}

}  // namespace
}  // namespace freshet::pipeline
