// SPDX-License-Identifier: Apache-2.0
// Readers ask a gateway that stays how far everything is staged.
#include "capture/answers.h"

#include <gmock/gmock.h>

#include "capture/gateway_world_test.h"
#include "staging/unread.h"

namespace freshet::capture {
namespace {

using staging::Question;

class AnswersTest : public GatewayTest {
 protected:
  void Ask(const Question& question) { ASSERT_TRUE(staging::PutQuestion(*store_, question).ok()); }
  std::optional<staging::SegmentNumber> AnswerTo(const Question& question) {
    auto answer = *staging::AnswerTo(*store_, question);
    return answer ? std::optional(answer->through) : std::nullopt;
  }
  staging::Unseen UnseenIn(const Question& question) {
    return (*staging::AnswerTo(*store_, question))->unseen;
  }
  /// Run a gateway that stays until `ends` says so, which is asked between its steps, or for longer
  /// than anything takes.
  Status RunUntil(std::function<bool()> ends) {
    GatewayOptions options;
    options.selects = selects_;
    options.snapshot_readers = 0;
    options.answers = true;
    std::stop_source stop;
    const auto began = clock_.Now();
    // It is asked at every poll; the gateway itself never drains.
    options.drain_requested = [&] {
      if (ends() || clock_.Now() - began > 2 * limits::kRereadInterval) stop.request_stop();
      return false;
    };
    return Gateway(&source_, store_, &clock_, &events_, std::move(options))
        .Run(stop.get_token())
        .status();
  }
  int64_t ChangeRowsThrough(staging::SegmentNumber through) {
    int64_t rows = 0;
    for (const auto& manifest : Manifests()) {
      for (const auto& entry : manifest->entries) {
        const auto* run = std::get_if<staging::ChangeRun>(&entry);
        if (run != nullptr && manifest->number <= through) rows += run->rows;
      }
    }
    return rows;
  }

  const Question one_{record::PipelineId("one"), "a"}, two_{record::PipelineId("two"), "b"};
};

TEST_F(AnswersTest, WhatWasCommittedBeforeTheQuestionIsStagedThroughItsAnswer) {
  RunWell();
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}, Insert{"1", {int64_t{5}, "e"}}});
  Ask(one_);
  Ask(two_);
  auto ended = RunUntil([&] { return AnswerTo(one_) && AnswerTo(two_); });
  EXPECT_TRUE(ended.Is(ErrorClass::CANCELLED)) << ended.ToString();
  EXPECT_EQ(ChangeRowsThrough(*AnswerTo(one_)), 2);
  EXPECT_EQ(ChangeRowsThrough(*AnswerTo(two_)), 2);
  EXPECT_THAT(*staging::ListQuestions(*store_), testing::IsEmpty());
}

TEST_F(AnswersTest, ATableThatWasMadeBeforeTheQuestionIsKnownThroughItsAnswer) {
  RunWell();
  bool asked = false;
  auto ended = RunUntil([&] {
    if (!std::exchange(asked, true)) {
      source_.Create(Shape("2"));
      Ask(one_);
    }
    return AnswerTo(one_).has_value();
  });
  EXPECT_TRUE(ended.Is(ErrorClass::CANCELLED)) << ended.ToString();
  EXPECT_TRUE(State().tables.contains(TableId("2")));
  EXPECT_GE(State().through, *AnswerTo(one_));
  for (const auto& manifest : Manifests()) {
    for (const auto& entry : manifest->entries) {
      const auto* listed = std::get_if<staging::TableListed>(&entry);
      if (listed != nullptr && listed->table == TableId("2")) {
        EXPECT_LE(manifest->number, *AnswerTo(one_));
      }
    }
  }
}

TEST_F(AnswersTest, ATableThatIsHeldLockedIsLeftOutByName) {
  RunWell();
  bool asked = false;
  auto ended = RunUntil([&] {
    if (!std::exchange(asked, true)) {
      source_.Create(Shape("2"));
      Ask(one_);
      source_.before = [](const std::string& step) {
        return step == "watch" ? Error(ErrorClass::SOURCE_BLOCKED, "locked") : Status::Ok();
      };
    }
    return AnswerTo(one_).has_value();
  });
  EXPECT_TRUE(ended.Is(ErrorClass::CANCELLED)) << ended.ToString();
  EXPECT_TRUE(UnseenIn(one_).why.Is(ErrorClass::SOURCE_BLOCKED));
  EXPECT_THAT(UnseenIn(one_).tables, testing::ElementsAre(Shape("2").name));
  source_.before = nullptr;
  Ask(two_);
  ended = RunUntil([&] { return AnswerTo(two_).has_value(); });
  EXPECT_TRUE(UnseenIn(two_).why.ok()) << UnseenIn(two_).why.ToString();
  EXPECT_TRUE(State().tables.contains(TableId("2")));
}

TEST_F(AnswersTest, ATableThatIsToBeReadAgainAndIsHeldLockedIsLeftOutByName) {
  source_.Create(Shape("2"));
  Wish("2", 1);
  RunWell();
  source_.set_locked("2", true);
  source_.Commit({Alter{
      fakes::MakeShape("2", "public", "t2", {{"id", arrow::int64()}, {"note", arrow::binary()}})}});
  Ask(one_);
  auto ended = RunUntil([&] { return AnswerTo(one_).has_value(); });
  EXPECT_TRUE(ended.Is(ErrorClass::CANCELLED)) << ended.ToString();
  EXPECT_TRUE(UnseenIn(one_).why.Is(ErrorClass::SOURCE_BLOCKED));
  EXPECT_THAT(UnseenIn(one_).tables, testing::ElementsAre(Shape("2").name));
  source_.set_locked("2", false);
  Ask(two_);
  ended = RunUntil([&] { return AnswerTo(two_).has_value(); });
  EXPECT_TRUE(UnseenIn(two_).why.ok()) << UnseenIn(two_).why.ToString();
}

TEST_F(AnswersTest, WhereNoTableCouldBeLookedAtThatIsSaid) {
  RunWell();
  Ask(one_);
  int looks = 0;
  source_.before = [&](const std::string& step) {
    return step == "list" && ++looks > 1 ? Error(ErrorClass::SOURCE_BLOCKED, "x") : Status::Ok();
  };
  auto ended = RunUntil([&] { return AnswerTo(one_).has_value(); });
  EXPECT_TRUE(ended.Is(ErrorClass::CANCELLED)) << ended.ToString();
  EXPECT_TRUE(UnseenIn(one_).why.Is(ErrorClass::SOURCE_BLOCKED));
  EXPECT_THAT(UnseenIn(one_).tables, testing::IsEmpty());
}

TEST_F(AnswersTest, EachQuestionIsAnsweredAnew) {
  Ask(one_);
  bool second = false;
  auto ended = RunUntil([&] {
    if (AnswerTo(one_) && !std::exchange(second, true)) {
      source_.Commit({Insert{"1", {int64_t{4}, "d"}}});
      Ask(two_);
    }
    return AnswerTo(two_).has_value();
  });
  EXPECT_TRUE(ended.Is(ErrorClass::CANCELLED)) << ended.ToString();
  EXPECT_EQ(ChangeRowsThrough(*AnswerTo(two_)), 1);
  EXPECT_GT(*AnswerTo(two_), *AnswerTo(one_));
}

TEST_F(AnswersTest, AQuestionOutlivesTheGatewayThatHeardIt) {
  Ask(one_);
  source_.before = [](const std::string& step) {
    return step == "next" ? Error(ErrorClass::SOURCE_UNREACHABLE, "gone") : Status::Ok();
  };
  auto ended = RunUntil([] { return false; });
  EXPECT_TRUE(ended.Is(ErrorClass::SOURCE_UNREACHABLE)) << ended.ToString();
  EXPECT_EQ(AnswerTo(one_), std::nullopt);
  source_.before = nullptr;
  ended = RunUntil([&] { return AnswerTo(one_).has_value(); });
  EXPECT_TRUE(ended.Is(ErrorClass::CANCELLED)) << ended.ToString();
}

/// A table without a log that cannot be read, and whoever waits for it.
class UnreadAnswersTest : public AnswersTest {
 protected:
  void SetUp() override {
    AnswersTest::SetUp();
    auto shape = Shape("2");
    shape.logged = false;
    shape.key.clear();
    source_.Create(shape);
    source_.Commit({Insert{"2", {int64_t{1}, "a"}}});
    Wish("2", 1);
  }
  void FailAt(const std::string& step) {
    source_.before = [step](const std::string& now) {
      return now == step ? Error(ErrorClass::SOURCE_QUERY, "division by zero") : Status::Ok();
    };
  }
  bool IsTold() const { return staging::WhyUnread(*store_, key_)->has_value(); }
  const staging::UnreadKey key_{TableId("2"), kFlow};
};

TEST_F(UnreadAnswersTest, WhoWaitsForATableIsToldThatItCannotBeRead) {
  for (const auto* step : {"plan 2", "chunk 2 0"}) {
    ASSERT_TRUE(staging::ForgetUnread(*store_, key_).ok());
    FailAt(step);
    auto ended = RunUntil([&] { return IsTold(); });
    EXPECT_TRUE(ended.Is(ErrorClass::CANCELLED)) << ended.ToString();
    ASSERT_TRUE(IsTold());
    EXPECT_TRUE((*staging::WhyUnread(*store_, key_))->Is(ErrorClass::SOURCE_QUERY));
  }
}

TEST_F(UnreadAnswersTest, WhoTakesThatAwayHasItTriedAgainAtOnce) {
  FailAt("plan 2");
  const auto began = clock_.Now();
  int told = 0;
  auto ended = RunUntil([&] {
    if (!IsTold()) return false;
    EXPECT_TRUE(staging::ForgetUnread(*store_, key_).ok());
    ++told;
    return told == 3;
  });
  EXPECT_TRUE(ended.Is(ErrorClass::CANCELLED)) << ended.ToString();
  EXPECT_EQ(told, 3);
  EXPECT_LT(clock_.Now() - began, limits::kRereadInterval) << "not at its next time";
}

TEST_F(UnreadAnswersTest, OnceItIsReadThatIsSaidNoMore) {
  FailAt("plan 2");
  auto ended = RunUntil([&] { return IsTold(); });
  EXPECT_TRUE(ended.Is(ErrorClass::CANCELLED)) << ended.ToString();
  EXPECT_TRUE(IsTold());
  source_.before = nullptr;
  ended = RunUntil([&] { return !IsTold(); });
  EXPECT_FALSE(IsTold());
  EXPECT_TRUE(ended.Is(ErrorClass::CANCELLED)) << ended.ToString();
  EXPECT_TRUE(State().tables.at(TableId("2")).generations.contains(kFlow));
}

TEST_F(AnswersTest, AGatewayThatDrainsAnswersNobody) {
  Ask(one_);
  RunWell();
  EXPECT_EQ(AnswerTo(one_), std::nullopt);
}

}  // namespace
}  // namespace freshet::capture
