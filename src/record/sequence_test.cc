// SPDX-License-Identifier: Apache-2.0
#include "record/sequence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <tuple>
#include <vector>

namespace freshet::record {
namespace {

TEST(Sequence, OrdersByEpochThenPositionThenOrdinal) {
  // Positions whose low bytes would mislead a comparison that is not big-endian.
  std::vector<std::tuple<uint32_t, uint64_t, uint64_t>> parts;
  std::mt19937_64 random(7);
  for (int i = 0; i < 300; ++i) {
    parts.emplace_back(static_cast<uint32_t>(random() % 3), random() >> (random() % 64),
                       random() >> (random() % 64));
  }
  for (const auto& a : parts) {
    for (const auto& b : parts) {
      Sequence left = Sequence::Of(std::get<0>(a), std::get<1>(a), std::get<2>(a));
      Sequence right = Sequence::Of(std::get<0>(b), std::get<1>(b), std::get<2>(b));
      ASSERT_EQ(left <=> right, a <=> b);
      ASSERT_EQ(left.view() < right.view(), a < b) << "raw bytes have the same order";
    }
  }
}

TEST(Sequence, HasAFixedForm) {
  EXPECT_EQ(Sequence::Of(1, 0x0102030405060708, 0xFF).ToHex(),
            "00000001"
            "0102030405060708"
            "00000000000000ff"
            "00000000");
  EXPECT_EQ(Sequence().ToHex(), std::string(48, '0'));
}

TEST(Sequence, ComesBackFromHexAndBytes) {
  Sequence sequence = Sequence::Of(3, UINT64_MAX - 5, 42);
  auto parsed = Sequence::FromHex(sequence.ToHex());
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed, sequence);
  EXPECT_EQ(Sequence::FromBytes(sequence.view()), sequence);
}

TEST(Sequence, RefusesWhatIsNotOne) {
  for (const std::string& bad : {std::string(), std::string(47, '0'), std::string(49, '0'),
                                 std::string(48, 'g'), std::string(48, 'A')}) {
    EXPECT_TRUE(Sequence::FromHex(bad).status().Is(ErrorClass::STAGING_CORRUPT)) << bad;
  }
}

}  // namespace
}  // namespace freshet::record
