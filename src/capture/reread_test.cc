// SPDX-License-Identifier: Apache-2.0
// Tables that are read again because rows came or went without changes.
#include "capture/gateway_world_test.h"

namespace freshet::capture {
namespace {

record::Partition Part(const std::string& id, bool told = false) {
  return {.id = id, .name = id, .told = told};
}

TEST_F(GatewayTest, RowsThatWentUntoldAbandonACompleteSnapshotOnce) {
  Wish("1", 1);
  RunWell();
  source_.Commit({Lose{"1", {int64_t{2}, "b"}}, Insert{"1", {int64_t{4}, "d"}}});
  RunWell();
  auto abandoned = Entries<staging::GenerationAbandoned>();
  ASSERT_EQ(abandoned.size(), 1U);
  EXPECT_EQ(abandoned[0].generation, Generation(1));
  EXPECT_EQ(SnapshotIds("1", 2), (std::vector<int64_t>{1, 3, 4}));
  RunWell();
  EXPECT_EQ(Entries<staging::GenerationAbandoned>().size(), 1U);
  EXPECT_EQ(source_.snapshots_taken(), 2);
}

TEST_F(GatewayTest, APartitionThatCameWithRowsOrLeftAbandonsACompleteSnapshot) {
  source_.set_partitions("1", {Part("a")});
  Wish("1", 1);
  RunWell();
  source_.set_partitions("1", {Part("a"), Part("b", /*told=*/true)});
  RunWell();
  EXPECT_EQ(State().tables.at(TableId("1")).partitions, (std::set<std::string>{"a", "b"}));
  EXPECT_TRUE(Entries<staging::GenerationAbandoned>().empty())
      << "all rows of b came as changes of the table";
  source_.set_partitions("1", {Part("a"), Part("b"), Part("c")});
  RunWell();
  EXPECT_EQ(Entries<staging::GenerationAbandoned>().size(), 1U);
  source_.set_partitions("1", {Part("a"), Part("c")});
  RunWell();
  RunWell();
  EXPECT_EQ(Entries<staging::GenerationAbandoned>().size(), 2U);
  EXPECT_EQ(SnapshotIds("1", 3), (std::vector<int64_t>{1, 2, 3}));
}

TEST_F(GatewayTest, PartitionsThatComeAndGoWithoutEndDoNotKeepADrainFromEnding) {
  source_.set_partitions("1", {Part("0")});
  Wish("1", 1);
  int looks = 0;
  source_.before = [&](const std::string& step) {
    if (step == "list") source_.set_partitions("1", {Part(std::to_string(++looks))});
    return Status::Ok();
  };
  RunWell();
  EXPECT_EQ(source_.snapshots_taken(), 1);
  const auto generation = State().tables.at(TableId("1")).generations.at(kFlow);
  EXPECT_TRUE(generation.ended);
  EXPECT_EQ(generation.successor, Generation(2)) << "the next run reads it";
  source_.before = nullptr;
  RunWell();
  EXPECT_EQ(State().tables.at(TableId("1")).generations.at(kFlow).begun.generation, Generation(2));
}

TEST_F(GatewayTest, ASnapshotWhoseHolderCrashedBeforeItWasDescribedIsTakenAgain) {
  Wish("1", 1);
  int shown = 0;
  source_.before = [&](const std::string& step) {
    if (step != "show" || ++shown > 1) return Status::Ok();
    return Error(ErrorClass::SNAPSHOT_STALE, "the snapshot itself is gone");
  };
  RunWell();
  EXPECT_EQ(source_.snapshots_taken(), 2);
  EXPECT_EQ(SnapshotIds("1", 1), (std::vector<int64_t>{1, 2, 3}));
}

TEST_F(GatewayTest, BeforeADrainEndsTheTablesAreLookedAtOnceMore) {
  source_.set_partitions("1", {Part("a")});
  Wish("1", 1);
  RunWell();
  source_.before = [&](const std::string& step) {
    if (step == "open") source_.set_partitions("1", {Part("b")});
    return Status::Ok();
  };
  RunWell();
  EXPECT_EQ(source_.snapshots_taken(), 2);
  EXPECT_EQ(SnapshotIds("1", 2), (std::vector<int64_t>{1, 2, 3}));
  source_.before = [&](const std::string& step) {
    if (step == "open")
      source_.set_problem("1", Error(ErrorClass::TABLE_NO_IDENTITY, "the key is gone"));
    return Status::Ok();
  };
  source_.Commit({Insert{"1", {int64_t{4}, "d"}}});
  RunWell();
  EXPECT_EQ(source_.watched(), std::vector<std::string>{})
      << "its own updates fail as long as it is published";
  EXPECT_TRUE(State().tables.at(TableId("1")).broken.has_value());
}

}  // namespace
}  // namespace freshet::capture
