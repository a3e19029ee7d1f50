// SPDX-License-Identifier: Apache-2.0
#include "staging/unread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/memory_store.h"

namespace freshet::staging {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const UnreadKey kOne{TableId("1"), FlowId("one-t1")}, kTwo{TableId("1"), FlowId("two-t1")};

TEST(Unread, EachFlowIsToldTheNewestReasonUntilItIsForgotten) {
  auto store = store::MakeMemoryStore();
  EXPECT_EQ(*WhyUnread(*store, kOne), std::nullopt);
  ASSERT_TRUE(PutUnread(*store, kOne, Error(ErrorClass::SOURCE_QUERY, "x")).ok());
  auto why = Error(ErrorClass::SOURCE_PRIVILEGE, "no right").WithRemedy("GRANT");
  ASSERT_TRUE(PutUnread(*store, kOne, why).ok());
  ASSERT_TRUE(PutUnread(*store, kTwo, why).ok());
  EXPECT_THAT(*ListUnread(*store), ElementsAre(kOne, kTwo));
  auto told = *WhyUnread(*store, kOne);
  ASSERT_TRUE(told);
  EXPECT_TRUE(told->Is(ErrorClass::SOURCE_PRIVILEGE));
  EXPECT_EQ(told->message(), "no right");
  EXPECT_EQ(told->remedy(), "GRANT");
  ASSERT_TRUE(ForgetUnread(*store, kOne).ok());
  ASSERT_TRUE(ForgetUnread(*store, kOne).ok());
  EXPECT_THAT(*ListUnread(*store), ElementsAre(kTwo));
  ASSERT_TRUE(ForgetUnread(*store, kTwo).ok());
  EXPECT_THAT(*ListUnread(*store), IsEmpty());
}

TEST(Unread, AReasonThatIsNoneIsToldApartFromNone) {
  auto store = store::MakeMemoryStore();
  ASSERT_TRUE(store->Put("unread/1.one-t1", R"({"error_class":"NONE"})", store::If::kAlways).ok());
  EXPECT_TRUE(WhyUnread(*store, kOne).status().Is(ErrorClass::STAGING_CORRUPT));
}

}  // namespace
}  // namespace freshet::staging
