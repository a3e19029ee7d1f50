// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace freshet {
namespace {

TEST(Random, HexHasTwoDigitsAByteAndDiffers) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    std::string hex = RandomHex(8);
    EXPECT_EQ(hex.size(), 16U);
    EXPECT_EQ(hex.find_first_not_of("0123456789abcdef"), std::string::npos) << hex;
    EXPECT_TRUE(seen.insert(hex).second);
  }
}

TEST(Random, UuidIsVersionFour) {
  for (int i = 0; i < 100; ++i) {
    std::string uuid = RandomUuid();
    ASSERT_EQ(uuid.size(), 36U);
    for (size_t dash : {8U, 13U, 18U, 23U}) EXPECT_EQ(uuid[dash], '-') << uuid;
    EXPECT_EQ(uuid[14], '4') << uuid;
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos) << uuid;
  }
}

}  // namespace
}  // namespace freshet
