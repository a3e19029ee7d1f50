// SPDX-License-Identifier: Apache-2.0
#include "api/event_filter.h"

#include <gtest/gtest.h>

namespace freshet::api {
namespace {

TEST(EventFilter, ReadsWhatClientsSend) {
  auto conditions = ParseEventFilter(
      "update_id='u''1' AND level in ('ERROR', 'WARN') and timestamp >= '2026-01-31T01:02:03.5Z'");
  ASSERT_TRUE(conditions.ok()) << conditions.status().ToString();
  ASSERT_EQ(conditions->size(), 3U);
  EXPECT_EQ(conditions->at(0).values[0], "u'1");
  EXPECT_EQ(conditions->at(1).operation, "in");
  EXPECT_EQ(conditions->at(1).values.size(), 2U);
  EXPECT_EQ(conditions->at(2).operation, ">=");
  EXPECT_EQ(conditions->at(2).values[0], "2026-01-31T01:02:03.500Z");
  EXPECT_TRUE(ParseEventFilter("  ")->empty());
  EXPECT_EQ((*ParseEventFilter("timestamp<'2026-01-31T01:02:03+00:00'"))[0].values[0],
            "2026-01-31T01:02:03.000Z");
  EXPECT_EQ((*ParseEventFilter("timestamp = '2026-01-31T01:02:03.123456Z'"))[0].values[0],
            "2026-01-31T01:02:03.123Z");
}

TEST(EventFilter, RefusesEverythingElse) {
  for (const auto* text :
       {"level", "level =", "level = ERROR", "level = 'x", "level in 'x'", "level in ('x'",
        "level in ()", "name = 'x'", "level = 'a' OR level = 'b'", "level = 'a' level = 'b'",
        "level > 'a'", "level = 'a' AND", "timestamp > 'now'",
        "timestamp > '2026-01-31T01:02:03.5+02:00'", "timestamp > '2026-01-31 01:02:03'",
        "1=1; DROP TABLE events", "level = 'a'; --"})
    EXPECT_TRUE(ParseEventFilter(text).status().Is(ErrorClass::INVALID_ARGUMENT)) << text;
  std::string many = "level = 'a'";
  for (int i = 0; i < 40; ++i) many += " AND level = 'a'";
  EXPECT_FALSE(ParseEventFilter(many).ok());
}

TEST(NameFilter, IsOnePattern) {
  EXPECT_EQ(*ParseNameFilter("name LIKE '%it''s%'"), "%it's%");
  EXPECT_EQ(*ParseNameFilter(""), "");
  for (const auto* text : {"name = 'x'", "name LIKE 'x' OR 1=1", "notebook='/x'", "name LIKE ''"})
    EXPECT_FALSE(ParseNameFilter(text).ok()) << text;
}

}  // namespace
}  // namespace freshet::api
