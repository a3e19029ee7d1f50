// SPDX-License-Identifier: Apache-2.0
#include "apply/key_order.h"

#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include <string>

namespace freshet::apply {
namespace {

std::shared_ptr<arrow::Array> Column(const std::shared_ptr<arrow::DataType>& type,
                                     const std::string& json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

std::vector<uint64_t> Order(const arrow::ArrayVector& key) {
  auto order = KeyOrder(key).value();
  if (order == nullptr) return {};
  return {order->raw_values(), order->raw_values() + order->length()};
}

using Ordinals = std::vector<uint64_t>;

TEST(KeyOrderTest, NumbersAndTimesOrderRowsAndTextDoesNot) {
  const arrow::Schema schema({arrow::field("number", arrow::int64()),
                              arrow::field("when", arrow::timestamp(arrow::TimeUnit::MICRO)),
                              arrow::field("text", arrow::utf8()),
                              arrow::field("amount", arrow::decimal128(12, 2)),
                              arrow::field("day", arrow::date32())});
  EXPECT_TRUE(OrdersByKey(schema, {1, 0}));
  EXPECT_TRUE(OrdersByKey(schema, {3, 4}));
  EXPECT_FALSE(OrdersByKey(schema, {0, 2})) << "a uuid within a tenant";
  EXPECT_FALSE(OrdersByKey(schema, {}));
}

TEST(KeyOrderTest, EqualRowsStayAsTheyLieAndNullIsLast) {
  EXPECT_EQ(Order({Column(arrow::int64(), "[7, null, -3, 7, -3]")}), (Ordinals{2, 4, 0, 3, 1}));
}

TEST(KeyOrderTest, LaterColumnsOrderWhatTheFirstLeaves) {
  const auto tenant = Column(arrow::int32(), "[2, 1, 2, 1]");
  EXPECT_EQ(Order({tenant, Column(arrow::date32(), "[5, 9, 4, 3]")}), (Ordinals{3, 1, 2, 0}));
  EXPECT_EQ(
      Order({tenant, Column(arrow::decimal128(5, 2), R"(["1.50", "0.20", "-1.00", "10.00"])")}),
      (Ordinals{1, 3, 2, 0}));
}

TEST(KeyOrderTest, RowsInOrderNeedNone) {
  const auto type = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  EXPECT_EQ(KeyOrder({Column(type, "[1, 1, 4, 9]")}).value(), nullptr);
  EXPECT_EQ(KeyOrder({Column(type, "[]")}).value(), nullptr);
}

}  // namespace
}  // namespace freshet::apply
