// SPDX-License-Identifier: Apache-2.0
// Updates that only some of a pipeline's tables are chosen for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/update_fixture_test.h"
#include "staging/unread.h"

namespace freshet::pipeline {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class UpdateSelectionTest : public UpdateTest {
 protected:
  static PipelineSpec Choose(const std::string& table) {
    PipelineSpec spec;
    spec.chosen = {{"public", table}};
    return spec;
  }
  /// Two tables, read and applied once.
  void ReadBoth(const std::string& pipeline = kOnlyPipeline) {
    Stage("1", "a");
    Stage("2", "b");
    auto update = Open({}, pipeline);
    Step(*update);
    for (const std::string table : {"1", "2"})
      End(Begin(table, FlowIdOf(record::PipelineId(pipeline), record::TableId(table)).value(), 1));
    Seal();
    Step(*update);
    ASSERT_TRUE(update->Tidy().ok());
    script_.calls.clear();
    events_.lines.clear();
  }
  int64_t FloorAfter(Update& update) {
    EXPECT_TRUE(update.Tidy().ok());
    return staging::ListReaders(*staging_).value().front().floor.value();
  }
};

TEST_F(UpdateSelectionTest, OnlyTheChosenOnesAreRead) {
  Stage("1", "a");
  Stage("2", "b");
  auto update = Open(Choose("a"), "one");
  auto round = Step(*update);
  EXPECT_TRUE(round.settled);
  EXPECT_FALSE(round.staged);
  EXPECT_THAT(Wishes(), ElementsAre("one-t1/1"));
  EXPECT_THAT(script_.calls, ElementsAre("a@2"));
  EXPECT_THAT(events_.lines, ElementsAre("table_found public.a", "table_current public.a"))
      << "of one that was never ingested nothing is told";
  End(Begin("1", "one-t1", 1));
  Seal();
  EXPECT_TRUE(Step(*update).staged) << "nobody waits for the others";
  EXPECT_EQ(FloorAfter(*update), 3) << "what was never read needs nothing that is staged";
}

TEST_F(UpdateSelectionTest, WhatIsStagedForTheOthersStaysForTheNextUpdate) {
  ReadBoth();
  const int64_t before = staging::ListReaders(*staging_).value().front().floor.value();
  EXPECT_EQ(before, 3);
  Stage("2", "b");
  Stage("1", "a");
  // In this order: a worker that is started again knows no more than the first.
  for (int worker = 0; worker < 2; ++worker) {
    auto update = Open(Choose("a"));
    auto round = Step(*update);
    EXPECT_TRUE(round.settled && round.staged);
    EXPECT_EQ(round.through.value(), 5);
    EXPECT_EQ(FloorAfter(*update), before);
  }
  EXPECT_THAT(script_.calls, ElementsAre("a@5", "a@5"));
  EXPECT_THAT(events_.lines, Contains("table_excluded public.b").Times(2));
  script_.calls.clear();
  auto next = Open();
  Step(*next);
  EXPECT_THAT(script_.calls, UnorderedElementsAre("a@5", "b@5"));
  EXPECT_EQ(FloorAfter(*next), 5);
}

TEST_F(UpdateSelectionTest, WhatComesForTheOthersMeanwhileStaysToo) {
  ReadBoth();
  auto update = Open(Choose("a"));
  Step(*update);
  EXPECT_EQ(FloorAfter(*update), 3);
  Stage("1", "a");
  Step(*update);
  EXPECT_EQ(FloorAfter(*update), 4) << "there is nothing for the other";
  Stage("2", "b");
  Step(*update);
  EXPECT_EQ(FloorAfter(*update), 3);
  EXPECT_THAT(script_.calls, ElementsAre("a@3", "a@4"));
}

TEST_F(UpdateSelectionTest, TheTroubleOfTheOthersIsNotThisUpdates) {
  logged_ = false;
  ReadBoth("one");
  writer_->Note(staging::TableBroken{.table = record::TableId("2"),
                                     .error_class = "KEY_CHANGED",
                                     .message = "its changes ended",
                                     .remedy = "none"});
  Seal();
  const staging::UnreadKey key{record::TableId("2"), record::FlowId("one-t2")};
  ASSERT_TRUE(staging::PutUnread(*staging_, key, Error(ErrorClass::SOURCE_QUERY, "x")).ok());
  auto update = Open(Choose("a"), "one", /*reread=*/true);
  EXPECT_FALSE(Step(*update).staged) << "the chosen one is read again";
  End(Begin("1", "one-t1", 2));
  Seal();
  EXPECT_TRUE(Step(*update).staged);
  update->FailStale();
  EXPECT_THAT(events_.lines, UnorderedElementsAre("table_found public.a", "table_excluded public.b",
                                                  "table_current public.a"));
  EXPECT_THAT(*staging::ListUnread(*staging_), ElementsAre(key)) << "it is the next one's to hear";
}

TEST(ChosenTables, AreOfWhatIsIngestedAlone) {
  PipelineSpec spec;
  spec.objects.push_back({.source_catalog = {},
                          .source_schema = "public",
                          .source_table = {},
                          .destination_schema = {},
                          .destination_table = {}});
  spec.objects.push_back({.source_catalog = {},
                          .source_schema = "other",
                          .source_table = "away",
                          .destination_schema = {},
                          .destination_table = {}});
  EXPECT_TRUE(spec.Updates({"public", "b"}));
  spec.chosen = {{"public", "a*.b"}, {"foreign", "c"}};
  auto back = SpecFromJson(ToJson(spec));
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->chosen, spec.chosen);
  EXPECT_TRUE(back->Updates({"public", "a*.b"}));
  EXPECT_FALSE(back->Updates({"public", "aa.b"})) << "it is a name, and no pattern";
  EXPECT_FALSE(back->Updates({"foreign", "c"})) << "it is not ingested";
  EXPECT_THAT(back->Unmatched({{"foreign", "c"}}), ElementsAre("public.a*.b"))
      << "what is not chosen is not missed";
}

}  // namespace
}  // namespace freshet::pipeline
