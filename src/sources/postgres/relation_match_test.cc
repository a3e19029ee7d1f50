// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/relation_match.h"

#include <gmock/gmock.h>

namespace freshet::sources::postgres {
namespace {

using testing::ElementsAre;
using testing::Optional;

TraceColumn Stays(int32_t id, const char* name) { return {id, name, name}; }
TraceColumn Renamed(int32_t id, const char* ours, const char* now) { return {id, ours, now}; }
TraceColumn Dropped(int32_t id, const char* name) { return {id, name, std::nullopt}; }
TraceColumn Added(int32_t id, const char* name) { return {id, std::nullopt, name}; }
TraceColumn Unseen(int32_t id) { return {id, std::nullopt, std::nullopt}; }

TEST(MatchColumnsTest, TheSameColumns) {
  EXPECT_THAT(MatchColumns({"id", "v"}, {Stays(1, "id"), Stays(2, "v")}, true),
              Optional(ElementsAre(1, 2)));
}

TEST(MatchColumnsTest, BeforeAndAfterADrop) {
  const std::vector<TraceColumn> traces{Stays(1, "id"), Dropped(2, "v"), Stays(3, "w")};
  EXPECT_THAT(MatchColumns({"id", "v", "w"}, traces, true), Optional(ElementsAre(1, 2, 3)));
  EXPECT_THAT(MatchColumns({"id", "w"}, traces, true), Optional(ElementsAre(1, 3)));
}

TEST(MatchColumnsTest, BeforeAndAfterARename) {
  const std::vector<TraceColumn> traces{Stays(1, "id"), Renamed(2, "v", "w")};
  EXPECT_THAT(MatchColumns({"id", "v"}, traces, true), Optional(ElementsAre(1, 2)));
  EXPECT_THAT(MatchColumns({"id", "w"}, traces, true), Optional(ElementsAre(1, 2)));
  EXPECT_EQ(MatchColumns({"id", "between"}, traces, true), std::nullopt);
}

TEST(MatchColumnsTest, NamesThatChangedPlacesGoByTheOrder) {
  const std::vector<TraceColumn> traces{Renamed(1, "a", "b"), Renamed(2, "b", "a")};
  EXPECT_THAT(MatchColumns({"a", "b"}, traces, true), Optional(ElementsAre(1, 2)));
  EXPECT_THAT(MatchColumns({"b", "a"}, traces, true), Optional(ElementsAre(1, 2)));
  EXPECT_EQ(MatchColumns({"b", "a"}, traces, false), std::nullopt) << "a partition has its own";
}

TEST(MatchColumnsTest, AddedOnesComeInOrder) {
  const std::vector<TraceColumn> traces{Stays(1, "id"), Added(2, "v"), Added(3, "w")};
  EXPECT_THAT(MatchColumns({"id"}, traces, true), Optional(ElementsAre(1)));
  EXPECT_THAT(MatchColumns({"id", "v"}, traces, true), Optional(ElementsAre(1, 2)));
  EXPECT_EQ(MatchColumns({"id", "w"}, traces, true), std::nullopt);
}

TEST(MatchColumnsTest, ANameThatReturnedIsAmbiguous) {
  const std::vector<TraceColumn> traces{Stays(1, "id"), Dropped(2, "v"), Added(3, "v")};
  EXPECT_EQ(MatchColumns({"id", "v"}, traces, true), std::nullopt);
  EXPECT_THAT(MatchColumns({"id"}, traces, true), Optional(ElementsAre(1)));
}

TEST(MatchColumnsTest, WhatCameAndWentUnseenMayHaveHadAnyName) {
  EXPECT_THAT(MatchColumns({"id", "v"}, {Stays(1, "id"), Stays(2, "v"), Unseen(3)}, true),
              Optional(ElementsAre(1, 2)));
  EXPECT_EQ(MatchColumns({"id", "v"}, {Stays(1, "id"), Dropped(2, "v"), Unseen(3)}, true),
            std::nullopt);
  EXPECT_EQ(MatchColumns({"id", "x"}, {Stays(1, "id"), Unseen(2), Added(3, "x")}, true),
            std::nullopt);
}

TEST(MatchColumnsTest, APartitionHasItsOwnOrder) {
  const std::vector<TraceColumn> traces{Stays(1, "id"), Dropped(2, "v"), Renamed(3, "w", "x")};
  EXPECT_THAT(MatchColumns({"x", "id"}, traces, false), Optional(ElementsAre(3, 1)));
  EXPECT_THAT(MatchColumns({"w", "v", "id"}, traces, false), Optional(ElementsAre(3, 2, 1)));
}

}  // namespace
}  // namespace freshet::sources::postgres
