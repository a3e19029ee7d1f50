// SPDX-License-Identifier: Apache-2.0
#include "capture/watching.h"

#include "capture/gateway_world_test.h"

namespace freshet::capture {
namespace {

/// Give a run that waits for what never comes an end.
std::function<Status(const std::string&)> AtMost(int calls) {
  return [calls](const std::string& step) mutable {
    if (step != "next" || --calls > 0) return Status::Ok();
    return Error(ErrorClass::INTERNAL, "nothing comes to its end");
  };
}

TEST_F(GatewayTest, ATableThatFailsOutsideOfATransactionDoesNotKeepARunFromEnding) {
  source_.Create(Shape("2"));
  Wish("1", 1);
  Wish("2", 1);
  RunWell();
  source_.FailAtWatch("1", Error(ErrorClass::PUBLICATION_MISSING, "taken out"));
  source_.before = AtMost(10'000);
  RunWell();
  EXPECT_EQ(State().tables.at(TableId("1")).broken->error_class, "PUBLICATION_MISSING");
  EXPECT_FALSE(State().tables.at(TableId("2")).broken);
}

TEST_F(GatewayTest, NewTablesThatAreLockedWaitAlone) {
  RunWell();
  source_.Create(Shape("2"));
  source_.Create(Shape("3"));
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}});
  source_.set_locked("2", true);
  Wish("3", 1);
  Status ended = Run().status();
  EXPECT_TRUE(ended.Is(ErrorClass::SOURCE_BLOCKED)) << ended.ToString();
  EXPECT_NE(ended.message().find("public.t2"), std::string::npos);
  EXPECT_EQ(source_.watched(), (std::vector<std::string>{"1", "3"}));
  EXPECT_FALSE(State().tables.contains(TableId("2")));
  EXPECT_EQ(ChangeRows("1"), 1);
  EXPECT_EQ(events_.Count("warning"), 1);
  source_.set_locked("2", false);
  RunWell();
  EXPECT_EQ(source_.watched(), (std::vector<std::string>{"1", "3", "2"}));
}

TEST_F(GatewayTest, TablesThatAreToBeReadAgainWaitAloneToo) {
  for (const char* table : {"2", "3"}) source_.Create(Shape(table));
  for (const char* table : {"1", "2", "3"}) Wish(table, 1);
  RunWell();
  const auto retyped = [](const std::string& id) {
    return fakes::MakeShape(id, "public", "t" + id,
                            {{"id", arrow::int64()}, {"note", arrow::binary()}});
  };
  source_.set_locked("2", true);
  source_.Commit({Alter{retyped("2")}, Alter{retyped("3")}, Insert{"1", {int64_t{4}, "d"}}});
  source_.before = AtMost(10'000);
  Status ended = Run().status();
  EXPECT_TRUE(ended.Is(ErrorClass::SOURCE_BLOCKED)) << ended.ToString();
  EXPECT_NE(ended.message().find("public.t2"), std::string::npos);
  EXPECT_EQ(ended.message().find("public.t3"), std::string::npos);
  EXPECT_EQ(ChangeRows("1"), 1);
  auto generation = [&](const std::string& id) {
    return State().tables.at(TableId(id)).generations.at(kFlow);
  };
  EXPECT_EQ(generation("3").begun.generation, Generation(2));
  EXPECT_TRUE(generation("3").ended);
  EXPECT_EQ(generation("2").begun.generation, Generation(1));
  source_.set_locked("2", false);
  RunWell();
  EXPECT_EQ(generation("2").begun.generation, Generation(2));
  EXPECT_TRUE(generation("2").ended);
  EXPECT_FALSE(State().tables.at(TableId("2")).broken);
}

TEST_F(GatewayTest, WhereOneIsHeldLockedTheCatalogTellsOfTheOthers) {
  for (const char* table : {"2", "3"}) source_.Create(Shape(table));
  for (const char* table : {"1", "2", "3"}) Wish(table, 1);
  RunWell();
  int described = 0;
  bool streaming = false;
  // The first of them is locked whenever they are looked at again.
  source_.before = [&, at_most = AtMost(10'000)](const std::string& step) mutable {
    streaming = streaming || step == "next";
    if (step == "describe" && streaming && ++described != 2)
      return Error(ErrorClass::SOURCE_BLOCKED, "a lock was not granted");
    return at_most(step);
  };
  for (const char* table : {"1", "2"}) {
    source_.AlterQuietly(fakes::MakeShape(table, "public", std::string("t") + table,
                                          {{"id", arrow::int64()}, {"note", arrow::utf8()}}, 2));
  }
  Status ended = Run().status();
  EXPECT_TRUE(ended.Is(ErrorClass::SOURCE_BLOCKED)) << ended.ToString();
  EXPECT_GE(described, 2);
  const auto state = State();
  EXPECT_EQ(state.tables.at(TableId("2")).generations.at(kFlow).begun.generation, Generation(2));
  EXPECT_TRUE(state.tables.at(TableId("2")).generations.at(kFlow).ended);
  source_.before = nullptr;
  RunWell();
  EXPECT_EQ(State().tables.at(TableId("1")).generations.at(kFlow).begun.generation, Generation(2));
}

TEST_F(GatewayTest, MemosAreSealedAndGivenBack) {
  source_.Create(Shape("2"));
  source_.set_memo("1", "entry 7");
  Wish("1", 1);
  RunWell();
  EXPECT_EQ(State().tables.at(TableId("1")).memo, "entry 7");
  const auto through = State().through;
  RunWell();
  EXPECT_EQ(source_.opened_with(),
            (std::map<std::string, std::string>{{"1", "entry 7"}, {"2", ""}}));
  EXPECT_EQ(State().through, through) << "what is kept already is not kept again";
  // A column more is another shape with the same memo.
  source_.Commit(
      {Alter{Shape("1", {{"n", arrow::int64()}})}, Insert{"1", {int64_t{4}, "d", int64_t{1}}}});
  RunWell();
  RunWell();
  EXPECT_EQ(source_.opened_with().at("1"), "entry 7");
}

TEST_F(GatewayTest, ATableThatTheLogDidNotTellOfForAWhileHasLostChanges) {
  source_.Create(Shape("2"));
  source_.set_memo("1", "entry 7");
  source_.set_memo("2", "entry 8");
  Wish("1", 1);
  Wish("2", 1);
  RunWell();
  // Out of the publication and in again, while nobody looked; and while it is looked at.
  for (const bool running : {false, true}) {
    const std::string entry = running ? "entry 10" : "entry 9";
    if (!running) source_.set_memo("1", entry);
    int looks = 0;
    source_.before = [&](const std::string& step) {
      // The first look is the one of the beginning.
      if (running && step == "list" && ++looks == 2) source_.set_memo("1", entry);
      return Status::Ok();
    };
    RunWell();
    const auto lost = State().tables.at(TableId("1"));
    ASSERT_TRUE(lost.broken) << (running ? "while it runs" : "before");
    EXPECT_EQ(lost.broken->error_class, "PUBLICATION_MISSING");
    EXPECT_FALSE(State().tables.at(TableId("2")).broken);
    source_.before = nullptr;
    RunWell();
    EXPECT_TRUE(State().tables.at(TableId("1")).broken) << "until somebody wants it read again";
    Wish("1", running ? 3 : 2);
    RunWell();
    EXPECT_FALSE(State().tables.at(TableId("1")).broken);
    EXPECT_EQ(State().tables.at(TableId("1")).memo, entry);
    RunWell();
    EXPECT_FALSE(State().tables.at(TableId("1")).broken) << "it is by the new entry now";
  }
}

TEST_F(GatewayTest, AnOldStagingsTablesAreFollowedOnAndNoted) {
  Wish("1", 1);
  RunWell();
  EXPECT_EQ(State().tables.at(TableId("1")).memo, "");
  source_.set_memo("1", "entry 7");
  RunWell();
  EXPECT_FALSE(State().tables.at(TableId("1")).broken);
  EXPECT_EQ(State().tables.at(TableId("1")).memo, "entry 7");
}

}  // namespace
}  // namespace freshet::capture
