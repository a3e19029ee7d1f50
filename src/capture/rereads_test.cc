// SPDX-License-Identifier: Apache-2.0
// Tables that the log does not tell of are read again and again.
#include "capture/rereads.h"

#include "capture/gateway_world_test.h"

namespace freshet::capture {
namespace {

record::TableShape Unlogged(const std::string& id, std::vector<fakes::Column> more = {}) {
  auto shape = Shape(id, std::move(more));
  shape.logged = false;
  shape.key.clear();
  return shape;
}

class RereadsTest : public GatewayTest {
 protected:
  /// Beside the one that the log tells of, one that it does not; both read once.
  void SetUp() override {
    GatewayTest::SetUp();
    source_.Create(Unlogged("2"));
    source_.Commit({Insert{"2", {int64_t{1}, "a"}}, Insert{"2", {int64_t{1}, "a"}},
                    Insert{"2", {int64_t{2}, "b"}}});
    Wish("1", 1);
    Wish("2", 1);
    RunWell();
  }
  staging::GenerationState Newest() {
    return State().tables.at(TableId("2")).generations.at(kFlow);
  }
  /// Run a gateway that stays until `ends` says so.
  void RunOn(std::chrono::milliseconds interval, std::function<bool()> ends) {
    GatewayOptions options;
    options.snapshot_readers = 0;
    options.reread_interval = interval;
    options.drain_requested = std::move(ends);
    auto captured = Gateway(&source_, store_, &clock_, &events_, std::move(options)).Run({});
    ASSERT_TRUE(captured.ok()) << captured.status().ToString();
  }
};

TEST_F(RereadsTest, EachRunReadsThemOnceAndOnlyThem) {
  EXPECT_EQ(source_.watched(), std::vector<std::string>{"1"}) << "its own updates would fail";
  EXPECT_FALSE(Newest().begun.difference) << "nothing to compare with";
  source_.Commit({Delete{"2", {int64_t{2}, "b"}}, Insert{"1", {int64_t{4}, "d"}}});
  RunWell();
  EXPECT_EQ(Newest().begun.generation, Generation(2));
  EXPECT_TRUE(Newest().begun.difference);
  EXPECT_TRUE(Newest().ended);
  EXPECT_EQ(SnapshotIds("2", 2), (std::vector<int64_t>{1, 1}));
  EXPECT_EQ(ChangeRows("2"), 0);
  EXPECT_EQ(ChangeRows("1"), 1);
  EXPECT_EQ(State().tables.at(TableId("1")).generations.at(kFlow).begun.generation, Generation(1));
  RunWell();
  EXPECT_EQ(Newest().begun.generation, Generation(3));
}

TEST_F(RereadsTest, WhatARunDoesNotSelectItDoesNotReadAgain) {
  selects_ = [](const record::TableName& name) { return name.table == "t1"; };
  RunWell();
  EXPECT_EQ(Newest().begun.generation, Generation(1));
  EXPECT_EQ(source_.snapshots_taken(), 1);
}

TEST_F(RereadsTest, PartsThatALaterReadingTookThePlaceOfGo) {
  RunWell();
  RunWell();
  auto parts = [&](int generation) {
    return store_->List("parts/2/f/" + std::to_string(generation), "", 100, true)->size();
  };
  EXPECT_GT(parts(1), 0U) << "the table was made of them";
  EXPECT_EQ(parts(2), 0U);
  EXPECT_GT(parts(3), 0U);
}

TEST_F(RereadsTest, AGatewayThatStaysReadsThemAtTheInterval) {
  auto began = clock_.Now();
  int64_t before = events_.Count("snapshot_started");
  RunOn(std::chrono::seconds(60), [&] { return clock_.Now() - began > std::chrono::seconds(150); });
  EXPECT_EQ(events_.Count("snapshot_started") - before, 3) << "at once, then twice";
}

TEST_F(RereadsTest, AWishIsNotMadeToWaitForTheInterval) {
  bool wished = false;
  auto answered = [&] {
    // The one that is due as the gateway begins, then the wished one.
    if (!std::exchange(wished, wished || Newest().ended)) return false;
    if (Newest().begun.generation == Generation(2)) Wish("2", 3);
    return Newest().begun.generation == Generation(3) && Newest().ended;
  };
  RunOn(std::chrono::hours(24), answered);
  EXPECT_TRUE(Newest().begun.difference);
}

TEST_F(RereadsTest, AReadingThatFailsIsItsTablesMatterAlone) {
  source_.before = [](const std::string& step) {
    return step.starts_with("chunk 2") ? Error(ErrorClass::SOURCE_QUERY, "division by zero")
                                       : Status::Ok();
  };
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}});
  RunWell();
  EXPECT_EQ(events_.Count("table_unread"), 1);
  EXPECT_EQ(events_.Last("table_unread", "class"), "SOURCE_QUERY");
  EXPECT_FALSE(events_.Last("table_unread", "remedy").empty());
  EXPECT_EQ(ChangeRows("1"), 1);
  EXPECT_EQ(Newest().successor, Generation(3));
  source_.before = nullptr;
  RunWell();
  EXPECT_EQ(events_.Count("table_unread"), 1);
  EXPECT_EQ(Newest().begun.generation, Generation(3));
  EXPECT_TRUE(Newest().begun.difference) << "the first was complete";
  EXPECT_TRUE(Newest().ended);
}

TEST_F(RereadsTest, OneThatIsInterruptedBeginsAnewAndIsLeftIfThatDoesNotEnd) {
  int interrupted = 0;
  int times = 1;
  source_.before = [&](const std::string& step) {
    if (!step.starts_with("chunk 2") || interrupted == times) return Status::Ok();
    ++interrupted;
    return Error(ErrorClass::SOURCE_INTERRUPTED, "canceling statement due to statement timeout");
  };
  RunWell();
  EXPECT_EQ(events_.Count("table_unread"), 0);
  EXPECT_EQ(interrupted, 1);
  EXPECT_TRUE(Newest().ended);
  interrupted = 0;
  times = 1'000'000;
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}});
  RunWell();
  EXPECT_EQ(events_.Count("table_unread"), 1);
  EXPECT_EQ(events_.Last("table_unread", "class"), "SOURCE_INTERRUPTED");
  EXPECT_EQ(ChangeRows("1"), 1);
}

TEST_F(RereadsTest, SoIsOneThatCannotEvenBegin) {
  source_.before = [](const std::string& step) {
    return step == "plan 2" ? Error(ErrorClass::SOURCE_PRIVILEGE, "not yours") : Status::Ok();
  };
  RunWell();
  EXPECT_EQ(events_.Last("table_unread", "class"), "SOURCE_PRIVILEGE");
  EXPECT_EQ(Newest().begun.generation, Generation(1));
}

TEST_F(RereadsTest, ATransactionThatHoldsUpTheirSnapshotDoesNotFailTheRun) {
  source_.before = [](const std::string& step) {
    return step == "snapshot" ? Error(ErrorClass::SOURCE_BLOCKED, "a long transaction")
                              : Status::Ok();
  };
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}});
  RunWell();
  EXPECT_EQ(events_.Last("table_unread", "class"), "SOURCE_BLOCKED");
  EXPECT_EQ(ChangeRows("1"), 1);
}

TEST_F(RereadsTest, TheSourceItselfGoneIsNot) {
  source_.before = [](const std::string& step) {
    return step.starts_with("chunk 2") ? Error(ErrorClass::SOURCE_UNREACHABLE, "gone")
                                       : Status::Ok();
  };
  EXPECT_TRUE(Run().status().Is(ErrorClass::SOURCE_UNREACHABLE));
}

TEST_F(RereadsTest, OneThatIsRewrittenWithoutEndDoesNotKeepARunFromEnding) {
  source_.before = [](const std::string& step) {
    return step.starts_with("chunk end 2") ? Error(ErrorClass::SNAPSHOT_STALE, "rewritten")
                                           : Status::Ok();
  };
  RunWell();
  EXPECT_EQ(events_.Last("table_unread", "class"), "SNAPSHOT_STALE");
}

TEST_F(RereadsTest, AColumnThatCameIsSeenByTheNextReading) {
  source_.AlterQuietly(Unlogged("2", {{"more", arrow::int64()}}));
  RunWell();
  EXPECT_EQ(Newest().begun.generation, Generation(2));
  EXPECT_EQ(Newest().begun.shape_version, 2);
  EXPECT_FALSE(State().tables.at(TableId("2")).shape->logged);
}

TEST_F(RereadsTest, AKeyThatCameChangesNothing) {
  auto keyed = Shape("2");
  keyed.logged = false;
  source_.AlterQuietly(keyed);
  RunWell();
  EXPECT_TRUE(Newest().ended);
  EXPECT_EQ(Newest().begun.generation, Generation(2));
  EXPECT_EQ(Newest().begun.shape_version, 1);
  EXPECT_EQ(source_.watched(), std::vector<std::string>{"1"});
}

TEST_F(RereadsTest, OneThatTheLogTellsOfByNowIsReadOnceMoreAndFollowed) {
  source_.Commit({Insert{"2", {int64_t{3}, "c"}}});
  source_.AlterQuietly(Shape("2"));
  source_.before = [&](const std::string& step) {
    if (step == "snapshot") source_.Commit({Insert{"2", {int64_t{4}, "d"}}});
    return Status::Ok();
  };
  RunWell();
  source_.before = nullptr;
  EXPECT_EQ(source_.watched(), (std::vector<std::string>{"1", "2"}));
  EXPECT_TRUE(State().tables.at(TableId("2")).shape->logged);
  EXPECT_FALSE(State().tables.at(TableId("2")).shape->keyless());
  EXPECT_EQ(Newest().begun.generation, Generation(2));
  EXPECT_FALSE(Newest().begun.difference) << "it takes the place of the other as a whole";
  EXPECT_TRUE(Newest().ended);
  ASSERT_EQ(Entries<staging::GenerationAbandoned>().size(), 1U);
  EXPECT_TRUE(Entries<staging::GenerationAbandoned>()[0].untold);
  source_.Commit({Insert{"2", {int64_t{5}, "e"}}});
  RunWell();
  EXPECT_EQ(Newest().begun.generation, Generation(2));
  EXPECT_GE(ChangeRows("2"), 1);
}

TEST_F(RereadsTest, OneThatTheLogToldOfAndNoLongerDoesBreaks) {
  auto shape = Shape("1");
  shape.logged = false;
  source_.AlterQuietly(shape);
  RunWell();
  EXPECT_EQ(State().tables.at(TableId("1")).broken->error_class, "TABLE_NO_IDENTITY");
  EXPECT_EQ(source_.watched(), std::vector<std::string>{});
}

TEST_F(RereadsTest, DerivedTablesAreTakenByTheirNamesOnly) {
  source_.Create(Unlogged("3"));
  source_.set_derived("3");
  RunOn(std::chrono::milliseconds::max(), [] { return true; });
  EXPECT_TRUE(State().tables.contains(TableId("3"))) << "nobody says which are named";
  source_.Create(Unlogged("4"));
  source_.set_derived("4");
  names_ = [](const record::TableName&) { return false; };
  RunWell();
  EXPECT_FALSE(State().tables.contains(TableId("4")));
  names_ = [](const record::TableName& name) { return name.table == "t4"; };
  RunWell();
  EXPECT_TRUE(State().tables.contains(TableId("4")));
}

}  // namespace
}  // namespace freshet::capture
