// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/shared_snapshot.h"

#include <gtest/gtest.h>

namespace freshet::sources::postgres {
namespace {

TEST(SharedSnapshot, ComesBackFromItsHandle) {
  SharedSnapshot snapshot{.name = "00000003-0000001B-1",
                          .position = 0x16B3748,
                          .epoch = 7,
                          .taken_at = 1'600'000'000'000'000,
                          .sees = -42};
  std::string handle = ToHandle(snapshot);
  EXPECT_EQ(handle, "00000003-0000001B-1 at=0/16B3748 epoch=7 taken=1600000000000000 sees=-42");
  auto back = FromHandle(handle);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(ToHandle(*back), handle);
}

TEST(SharedSnapshot, RefusesWhatIsNoHandle) {
  for (const char* text :
       {"", "x", "x at=0/1", "x at=1 epoch=1 taken=1 sees=1", "x at=0/1 epoch=a taken=1 sees=1",
        "x at=0/1 epoch=1 taken=1 sees=1 more",
        "x at=0/1 epoch=1 taken=1 sees=", " at=0/1 epoch=1 taken=1 sees=1"}) {
    EXPECT_TRUE(FromHandle(text).status().Is(ErrorClass::SNAPSHOT_STALE)) << text;
  }
}

}  // namespace
}  // namespace freshet::sources::postgres
