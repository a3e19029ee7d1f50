// SPDX-License-Identifier: Apache-2.0
#include "pipeline/update.h"

#include <arrow/type.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/event_line.h"
#include "staging/unread.h"
#include "staging/writer.h"
#include "store/memory_store.h"

namespace freshet::pipeline {
namespace {

using apply::Applied;
using record::SegmentNumber;
using record::TableId;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class Recorder final : public record::Observer {
 public:
  void OnEvent(const record::Event& event) override {
    if (event.name == "wished" || event.name == "segment_seen") return;
    lines.push_back(event.name + " " + TextOf(event, "table"));
    last = event;
  }
  std::vector<std::string> lines;
  record::Event last;
};

/// What the appliers of a test answer, in order; then: current.
struct Script {
  std::map<std::string, std::vector<Result<Applied>>> answers;
  std::vector<std::string> calls;
};

class ScriptedApplier final : public apply::TableApplier {
 public:
  ScriptedApplier(std::string table, Script* script) : table_(std::move(table)), script_(script) {}
  Result<apply::Positions> Current() override { return apply::Positions{}; }
  Result<Applied> Apply(SegmentNumber through, const std::stop_token&) override {
    script_->calls.push_back(fmt::format("{}@{}", table_, through.value()));
    auto& answers = script_->answers[table_];
    if (answers.empty()) return Applied{.state = Applied::State::kCurrent, .through = through};
    auto answer = answers.front();
    answers.erase(answers.begin());
    return answer;
  }

 private:
  std::string table_;
  Script* script_;
};

class UpdateTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = store::MakeMemoryStore();
    staging_ = store::Below(root_, "_freshet/staging");
    auto writer = staging::StagingWriter::Open(staging_, &clock_);
    ASSERT_TRUE(writer.ok()) << writer.status().ToString();
    writer_ = std::move(writer).value();
  }

  /// Stage a table's discovery, or that something happened to it.
  void Stage(const std::string& id, const std::string& table, std::optional<TableId> former = {}) {
    record::TableShape shape{.id = TableId(id),
                             .name = {"public", table},
                             .version = ++version_,
                             .schema = arrow::schema({arrow::field("k", arrow::int64())}),
                             .key = {0},
                             .ids = {record::ColumnId(1)},
                             .source_types = {}};
    shape.logged = logged_;
    writer_->Note(staging::TableListed{.table = TableId(id), .name = shape.name, .former = former});
    writer_->Note(staging::ShapeNoted{.shape = shape, .at = {}});
    Seal();
  }
  void Seal() { ASSERT_TRUE(writer_->Seal(record::Cursor{"c"}, 1).ok()); }

  std::unique_ptr<Update> Open(PipelineSpec spec = {}, const std::string& pipeline = kOnlyPipeline,
                               bool reread = false) {
    if (reader_ == nullptr) {
      auto reader = staging::StagingReader::Open(staging_);
      EXPECT_TRUE(reader.ok());
      reader_ = std::move(reader).value();
    }
    Update::Parts parts{.staging = reader_.get(),
                        .root = root_,
                        .staging_prefix = "_freshet/staging",
                        .clock = &clock_,
                        .observer = &events_};
    parts.open_applier = [this](apply::Flow flow, apply::TableApplier::Context context)
        -> Result<std::unique_ptr<apply::TableApplier>> {
      opened_.push_back(
          fmt::format("{} {} {}", flow.id.value(), context.table_prefix, context.created_before));
      return std::unique_ptr<apply::TableApplier>(
          std::make_unique<ScriptedApplier>(flow.source.table, &script_));
    };
    auto update = Update::Open(std::move(parts), {.spec = std::move(spec),
                                                  .pipeline = record::PipelineId(pipeline),
                                                  .reread = reread,
                                                  .threads = 0});
    EXPECT_TRUE(update.ok()) << update.status().ToString();
    return std::move(update).value();
  }
  Update::Round Step(Update& update) {
    auto round = update.Step({});
    EXPECT_TRUE(round.ok()) << round.status().ToString();
    return round.ok() ? *round : Update::Round{};
  }
  staging::GenerationBegun Begin(const std::string& id, const std::string& flow, int64_t generation,
                                 bool difference = false) {
    staging::GenerationBegun begun{.flow = record::FlowId(flow),
                                   .table = TableId(id),
                                   .generation = record::Generation(generation),
                                   .position = {},
                                   .shape_version = version_,
                                   .first_segment = {}};
    begun.difference = difference;
    writer_->Note(begun);
    return begun;
  }
  void End(const staging::GenerationBegun& begun) {
    writer_->Note(staging::GenerationEnded{
        .flow = begun.flow, .table = begun.table, .generation = begun.generation});
  }
  std::vector<std::string> Wishes() {
    std::vector<std::string> texts;
    auto wishes = staging::ListWishes(*staging_);
    EXPECT_TRUE(wishes.ok());
    for (const auto& wish : *wishes)
      texts.push_back(wish.flow.value() + "/" + std::to_string(wish.generation.value()));
    return texts;
  }
  static Applied Committed(int64_t inserted) {
    Applied applied;
    applied.state = Applied::State::kCommitted;
    applied.version = 1;
    applied.rows_inserted = inserted;
    return applied;
  }

  SystemClock clock_;
  Recorder events_;
  Script script_;
  std::shared_ptr<store::FileStore> root_, staging_;
  std::unique_ptr<staging::StagingWriter> writer_;
  std::unique_ptr<staging::StagingReader> reader_;
  std::vector<std::string> opened_;
  int version_ = 0;
  bool logged_ = true;
};

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
