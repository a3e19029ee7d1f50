// SPDX-License-Identifier: Apache-2.0
#include "pipeline/destination.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace freshet::pipeline {
namespace {

class DestinationTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = std::filesystem::temp_directory_path() / "freshet-XXXXXX";
    root_ = mkdtemp(form.data());
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string root_;
  SystemClock clock_;
};

TEST(EncodeNameTest, EncodesOnlyWhatAPathCannotHold) {
  EXPECT_EQ(EncodeName("orders"), "orders");
  EXPECT_EQ(EncodeName("Odd Names ä;="), "Odd Names ä;=");
  EXPECT_EQ(EncodeName("a/b%c"), "a%2Fb%25c");
  EXPECT_EQ(EncodeName("_freshet"), "%5Ffreshet");
  EXPECT_EQ(EncodeName(".."), "%2E.");
  EXPECT_EQ(EncodeName("a_b.c"), "a_b.c");
  EXPECT_EQ(EncodeName(std::string_view("a\0b", 3)), "a%00b");
  EXPECT_EQ(FolderOf({"_s", "t/"}), "%5Fs/t%2F");
}

TEST(SlotNameTest, IsPlainAndShortEnough) {
  EXPECT_EQ(SlotNameFor("/data/My Lake", "0123456789ab"), "freshet_my_lake_01234567");
  auto longest = SlotNameFor("/" + std::string(200, 'x'), "0123456789ab");
  EXPECT_EQ(longest.size(), 63u);
  EXPECT_TRUE(longest.ends_with("_01234567"));
}

TEST_F(DestinationTest, RemembersItsSource) {
  auto destination = Destination::Make(root_ + "/new/");
  ASSERT_TRUE(destination.ok()) << destination.status().ToString();
  EXPECT_EQ(destination->root(), root_ + "/new");
  auto none = destination->ReadSource();
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->has_value());
  SourceRecord record{.connector = "postgres",
                      .identity = "7/shop",
                      .parameters = {{"host", "h"}},
                      .slot = "slot",
                      .publication = "publication",
                      .publication_given = true,
                      .staging_id = "ab"};
  ASSERT_TRUE(destination->WriteSource(record).ok());
  auto reopened = Destination::Open(root_ + "/new");
  ASSERT_TRUE(reopened.ok());
  auto back = reopened->ReadSource();
  ASSERT_TRUE(back.ok() && back->has_value());
  EXPECT_EQ((*back)->identity, "7/shop");
  EXPECT_EQ((*back)->parameters, record.parameters);
  EXPECT_FALSE((*back)->slot_given);
  EXPECT_TRUE((*back)->publication_given);
}

TEST_F(DestinationTest, ATornSourceFileIsAnErrorNotAFreshStart) {
  auto destination = Destination::Make(root_);
  ASSERT_TRUE(destination.ok());
  std::ofstream(destination->own() + "/source.json") << "{\"identity\":";
  EXPECT_TRUE(destination->ReadSource().status().Is(ErrorClass::DATA_CORRUPT));
}

TEST_F(DestinationTest, OneUserAtATime) {
  auto destination = Destination::Make(root_);
  ASSERT_TRUE(destination.ok());
  EXPECT_FALSE(destination->Busy());
  {
    auto lock = destination->Lock(clock_, clock_.Now());
    ASSERT_TRUE(lock.ok());
    EXPECT_TRUE(destination->Busy());
    EXPECT_TRUE(destination->Lock(clock_, clock_.Now()).status().Is(ErrorClass::DESTINATION_BUSY));
  }
  EXPECT_FALSE(destination->Busy());
  EXPECT_TRUE(destination->Lock(clock_, clock_.Now()).ok());
}

TEST_F(DestinationTest, AFirstRunThatCameToNothingLeavesNothing) {
  std::string above = root_ + "/new";
  auto destination = Destination::Make(above + "/lake");
  ASSERT_TRUE(destination.ok()) << destination.status().ToString();
  destination->Unmake();
  EXPECT_FALSE(std::filesystem::exists(above));
}

TEST_F(DestinationTest, WhatWasThereBeforeStays) {
  auto first = Destination::Make(root_);
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  auto second = Destination::Make(root_);
  ASSERT_TRUE(second.ok()) << second.status().ToString();
  second->Unmake();
  EXPECT_TRUE(std::filesystem::exists(second->own()));
  ASSERT_TRUE(
      first->WriteSource({.connector = "postgres", .identity = "1/2", .staging_id = "s"}).ok());
  first->Unmake();
  EXPECT_TRUE(first->ReadSource().ok());
  EXPECT_TRUE(std::filesystem::exists(first->own() + "/source.json"));
}

TEST_F(DestinationTest, NotADestination) {
  EXPECT_TRUE(Destination::Open(root_).status().Is(ErrorClass::NOT_FOUND));
  std::ofstream(root_ + "/file") << "x";
  EXPECT_TRUE(Destination::Make(root_ + "/file").status().Is(ErrorClass::DESTINATION_FOREIGN));
}

}  // namespace
}  // namespace freshet::pipeline
