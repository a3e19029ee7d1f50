// SPDX-License-Identifier: Apache-2.0
#include "pipeline/flow_book.h"

#include <gtest/gtest.h>

#include "store/memory_store.h"

namespace freshet::pipeline {
namespace {

class FlowBookTest : public testing::Test {
 protected:
  FlowBook Open() { return FlowBook::Open(root_).value(); }

  const record::FlowId kFirst{"t1"}, kSecond{"t2"};
  const record::TableName kOrders{"public", "orders"}, kBills{"public", "bills"};
  std::shared_ptr<store::FileStore> root_ = store::MakeMemoryStore();
};

TEST_F(FlowBookTest, AFolderBelongsToOneTable) {
  auto book = Open();
  ASSERT_TRUE(book.Claim(kFirst, kOrders, "public/orders").ok());
  for (bool again : {false, true}) {
    EXPECT_TRUE(
        book.Claim(kSecond, kOrders, "public/orders").status().Is(ErrorClass::TABLE_RECREATED));
    EXPECT_TRUE(
        book.Claim(kSecond, kBills, "public/orders").status().Is(ErrorClass::INVALID_ARGUMENT));
    EXPECT_FALSE(book.entries().contains(kSecond)) << again;
    book = Open();
  }
}

TEST_F(FlowBookTest, ARenamedTableKeepsItsFolderAndAnotherMayHaveItsName) {
  auto book = Open();
  ASSERT_TRUE(book.Claim(kFirst, kOrders, "public/orders").ok());
  EXPECT_EQ(book.Claim(kFirst, kBills, "public/bills").value().folder, "public/orders");
  book = Open();
  EXPECT_EQ(book.entries().at(kFirst).source, kBills);
  EXPECT_TRUE(
      book.Claim(kSecond, kOrders, "public/orders").status().Is(ErrorClass::INVALID_ARGUMENT))
      << "where the rows of the renamed one lie";
  EXPECT_TRUE(book.Claim(kSecond, kOrders, "public/bills").ok());
}

TEST_F(FlowBookTest, ASuccessorTakesTheFolderOverForGood) {
  auto book = Open();
  ASSERT_TRUE(book.Claim(kFirst, kOrders, "public/orders").ok());
  EXPECT_FALSE(book.IsSucceeded(kFirst));
  const auto taken = book.Claim(kSecond, kOrders, "elsewhere", {kFirst}).value();
  EXPECT_EQ(taken.folder, "public/orders");
  for (bool again : {false, true}) {
    EXPECT_TRUE(book.IsSucceeded(kFirst)) << again;
    EXPECT_FALSE(book.IsSucceeded(kSecond)) << again;
    EXPECT_EQ(book.Claim(kSecond, kOrders, "public/orders").value().folder, "public/orders");
    EXPECT_TRUE(book.Claim(record::FlowId("t3"), kOrders, "public/orders")
                    .status()
                    .Is(ErrorClass::TABLE_RECREATED));
    book = Open();
  }
}

}  // namespace
}  // namespace freshet::pipeline
