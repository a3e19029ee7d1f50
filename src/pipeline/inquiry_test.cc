// SPDX-License-Identifier: Apache-2.0
#include "pipeline/inquiry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes/fake_clock.h"
#include "store/memory_store.h"

namespace freshet::pipeline {
namespace {

using staging::SegmentNumber;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class InquiryTest : public testing::Test {
 protected:
  Inquiry Ask() {
    auto selects = [](const record::TableName& name) { return name.schema == "public"; };
    return *Inquiry::Ask(store_, record::PipelineId("one"), &clock_, selects);
  }
  std::vector<staging::Question> Questions() { return *staging::ListQuestions(*store_); }
  /// What the gateway says to the question that stands.
  void Say(int64_t through, std::vector<record::TableName> locked, bool all = false) {
    ASSERT_THAT(Questions(), SizeIs(1));
    staging::Answer answer{.through = SegmentNumber(through)};
    if (all || !locked.empty())
      answer.unseen = {.why = Error(ErrorClass::SOURCE_BLOCKED, "locked"), .tables = locked};
    ASSERT_TRUE(staging::PutAnswer(*store_, Questions()[0], answer).ok());
  }

  fakes::FakeClock clock_;
  std::shared_ptr<store::FileStore> store_ = store::MakeMemoryStore();
  const record::TableName ours_{"public", "a"}, others_{"other", "b"};
};

TEST_F(InquiryTest, OnesOwnTableThatIsLockedIsAskedForAgain) {
  auto inquiry = Ask();
  EXPECT_FALSE(*inquiry.Answer());
  Say(3, {ours_, others_});
  EXPECT_FALSE(*inquiry.Answer());
  EXPECT_FALSE(*inquiry.Answer());
  EXPECT_THAT(Questions(), IsEmpty()) << "not at once";
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_FALSE(*inquiry.Answer());
  Say(7, {others_});
  auto answer = *inquiry.Answer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->through, SegmentNumber(7));
  EXPECT_TRUE(answer->unseen.why.ok()) << "that one is another's";
}

TEST_F(InquiryTest, ALockThatDoesNotEndIsToldAfterAWhile) {
  for (const bool all : {false, true}) {
    const auto locked = all ? std::vector<record::TableName>() : std::vector{ours_, others_};
    auto inquiry = Ask();
    const auto began = clock_.Now();
    std::optional<staging::Answer> answer;
    while (!answer && clock_.Now() - began < std::chrono::hours(1)) {
      if (!Questions().empty()) Say(3, locked, all);
      clock_.Advance(std::chrono::milliseconds(250));
      answer = *inquiry.Answer();
    }
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->unseen.why.Is(ErrorClass::SOURCE_BLOCKED));
    EXPECT_EQ(answer->unseen.tables.size(), all ? 0U : 1U);
    EXPECT_GE(clock_.Now() - began, std::chrono::minutes(2));
    EXPECT_LT(clock_.Now() - began, std::chrono::minutes(3));
  }
}

}  // namespace
}  // namespace freshet::pipeline
