// SPDX-License-Identifier: Apache-2.0
#include "staging/questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "staging/wishes.h"
#include "store/memory_store.h"

namespace freshet::staging {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const record::PipelineId kOne("one"), kTwo("two");

TEST(Questions, AreAnsweredOnceEach) {
  auto store = store::MakeMemoryStore();
  const Question first{kOne, "a"}, second{kTwo, "a"};
  ASSERT_TRUE(PutQuestion(*store, first).ok());
  ASSERT_TRUE(PutQuestion(*store, first).ok());
  ASSERT_TRUE(PutQuestion(*store, second).ok());
  EXPECT_THAT(*ListQuestions(*store), ElementsAre(first, second));
  EXPECT_FALSE(*AnswerTo(*store, first));
  ASSERT_TRUE(PutAnswer(*store, first, {SegmentNumber(7)}).ok());
  EXPECT_THAT(*ListQuestions(*store), ElementsAre(second));
  EXPECT_EQ((*AnswerTo(*store, first))->through, SegmentNumber(7));
  EXPECT_FALSE(*AnswerTo(*store, second));
}

TEST(Questions, AnAnswerStaysAfterACrashBeforeItsQuestionWent) {
  auto store = store::MakeMemoryStore();
  const Question question{kOne, "a"};
  ASSERT_TRUE(PutAnswer(*store, question, {SegmentNumber(7)}).ok());
  ASSERT_TRUE(PutQuestion(*store, question).ok());
  ASSERT_TRUE(PutAnswer(*store, question, {SegmentNumber(9)}).ok());
  EXPECT_EQ((*AnswerTo(*store, question))->through, SegmentNumber(7));
  EXPECT_THAT(*ListQuestions(*store), IsEmpty());
}

TEST(Questions, AnAnswerSaysWhatWasNotLookedAt) {
  auto store = store::MakeMemoryStore();
  const Question question{kOne, "a"};
  Answer answer{.through = SegmentNumber(7)};
  answer.unseen = {.why = Error(ErrorClass::SOURCE_BLOCKED, "locked").WithRemedy("Wait."),
                   .tables = {{"public", "a.b"}}};
  ASSERT_TRUE(PutAnswer(*store, question, answer).ok());
  auto told = *AnswerTo(*store, question);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->through, SegmentNumber(7));
  EXPECT_TRUE(told->unseen.why.Is(ErrorClass::SOURCE_BLOCKED));
  EXPECT_EQ(told->unseen.why.remedy(), "Wait.");
  EXPECT_EQ(told->unseen.tables, answer.unseen.tables);
}

TEST(Questions, OneReadersAreForgotten) {
  auto store = store::MakeMemoryStore();
  ASSERT_TRUE(PutQuestion(*store, {kOne, "a"}).ok());
  ASSERT_TRUE(PutAnswer(*store, {kOne, "b"}, {SegmentNumber(1)}).ok());
  ASSERT_TRUE(PutQuestion(*store, {kTwo, "a"}).ok());
  ASSERT_TRUE(PutAnswer(*store, {kTwo, "b"}, {SegmentNumber(2)}).ok());
  ASSERT_TRUE(ForgetQuestions(*store, kOne).ok());
  EXPECT_THAT(*ListQuestions(*store), ElementsAre(Question{kTwo, "a"}));
  EXPECT_FALSE(*AnswerTo(*store, {kOne, "b"}));
  EXPECT_EQ((*AnswerTo(*store, {kTwo, "b"}))->through, SegmentNumber(2));
}

TEST(Questions, AnAnswerThatIsNoneIsToldApartFromNone) {
  auto store = store::MakeMemoryStore();
  ASSERT_TRUE(store->Put("answers/one.a", "{}", store::If::kAlways).ok());
  EXPECT_TRUE(AnswerTo(*store, {kOne, "a"}).status().Is(ErrorClass::STAGING_CORRUPT));
  ASSERT_TRUE(store->Put("answers/one.b", R"({"through":1,"unseen":{}})", store::If::kAlways).ok());
  EXPECT_TRUE(AnswerTo(*store, {kOne, "b"}).status().Is(ErrorClass::STAGING_CORRUPT));
}

TEST(Readers, OneThatIsGoneHoldsNothingBack) {
  auto store = store::MakeMemoryStore();
  ASSERT_TRUE(PutReader(*store, {kOne, SegmentNumber(3), {}}).ok());
  ASSERT_TRUE(PutReader(*store, {kTwo, SegmentNumber(5), {}}).ok());
  ASSERT_TRUE(RemoveReader(*store, kOne).ok());
  ASSERT_TRUE(RemoveReader(*store, kOne).ok());
  auto readers = ListReaders(*store);
  ASSERT_TRUE(readers.ok());
  ASSERT_EQ(readers->size(), 1u);
  EXPECT_EQ(readers->front().pipeline, kTwo);
}

}  // namespace
}  // namespace freshet::staging
