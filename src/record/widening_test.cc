// SPDX-License-Identifier: Apache-2.0
#include "record/widening.h"

#include <gtest/gtest.h>

namespace freshet::record {
namespace {

using arrow::decimal128;

TEST(Widening, WhatDeltaReadsAsTheWiderType) {
  const auto local = arrow::timestamp(arrow::TimeUnit::MICRO);
  const auto utc = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  const std::vector<std::pair<std::shared_ptr<arrow::DataType>, std::shared_ptr<arrow::DataType>>>
      wider{{arrow::int16(), arrow::int32()},       {arrow::int16(), arrow::int64()},
            {arrow::int32(), arrow::float64()},     {arrow::int32(), decimal128(10, 0)},
            {arrow::int32(), decimal128(14, 4)},    {arrow::int64(), decimal128(20, 0)},
            {arrow::float32(), arrow::float64()},   {arrow::date32(), local},
            {decimal128(10, 2), decimal128(12, 2)}, {decimal128(10, 2), decimal128(12, 4)}};
  for (const auto& [from, to] : wider)
    EXPECT_TRUE(IsWidening(*from, *to)) << from->ToString() << " to " << to->ToString();
  const decltype(wider) not_wider{{arrow::int32(), arrow::int32()},
                                  {arrow::int64(), arrow::int32()},
                                  {arrow::int64(), arrow::float64()},
                                  {arrow::int32(), arrow::float32()},
                                  {arrow::int32(), decimal128(12, 4)},
                                  {arrow::int64(), decimal128(19, 0)},
                                  {decimal128(10, 2), decimal128(10, 2)},
                                  {decimal128(10, 2), decimal128(11, 4)},
                                  {decimal128(10, 2), decimal128(12, 1)},
                                  {arrow::date32(), utc},
                                  {arrow::int32(), arrow::utf8()},
                                  {arrow::list(arrow::int32()), arrow::list(arrow::int64())}};
  for (const auto& [from, to] : not_wider)
    EXPECT_FALSE(IsWidening(*from, *to)) << from->ToString() << " to " << to->ToString();
}

TEST(Widening, WhatAKeyStaysKnownBy) {
  EXPECT_TRUE(KeepsIdentity(*arrow::int32(), *arrow::int64()));
  EXPECT_TRUE(KeepsIdentity(*arrow::float32(), *arrow::float64()));
  EXPECT_TRUE(KeepsIdentity(*decimal128(10, 2), *decimal128(12, 2)));
  EXPECT_FALSE(KeepsIdentity(*decimal128(10, 2), *decimal128(12, 4)));
  EXPECT_FALSE(KeepsIdentity(*arrow::int32(), *arrow::float64()));
  EXPECT_FALSE(KeepsIdentity(*arrow::int32(), *decimal128(10, 0)));
}

}  // namespace
}  // namespace freshet::record
