// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/cursor_query.h"

#include <gtest/gtest.h>

#include "sources/postgres/cursor_moment.h"

namespace freshet::sources::postgres {
namespace {

CursorPlan Plan(std::vector<CursorColumn> columns, int64_t window, bool has_transactions) {
  CursorRule rule;
  rule.window = window;
  return PlanOf(rule, std::move(columns), has_transactions);
}

const CursorColumn kTime{.name = "at",
                         .type_name = "timestamp with time zone",
                         .unit = CursorUnit::kSeconds,
                         .may_be_endless = true,
                         .is_clock = true};
const CursorColumn kText{.name = "Te\"xt", .type_name = "text"};

TEST(CursorQueryTest, TransactionsTellLateCommits) {
  auto plan = Plan({kTime}, -1, true);
  EXPECT_TRUE(plan.by_transaction);
  ReadMoment before{
      .xmin = (uint64_t{3} << 32U) + 7, .xmax = (uint64_t{3} << 32U) + 9, .timeline = 1};
  ReadMoment now{.xmin = before.xmin + 5, .xmax = before.xmax + 5, .timeline = 1};
  auto condition = ChangedCondition(plan, {}, before, now);
  EXPECT_NE(condition.find("(xmin::text::int8 - 7) & 4294967295"), std::string::npos);
  now.timeline = 2;
  EXPECT_EQ(ChangedCondition(plan, {}, before, now), "true") << "another history";
  now.timeline = 1;
  now.xmax = before.xmin + (uint64_t{1} << 31U);
  EXPECT_EQ(ChangedCondition(plan, {}, before, now), "true") << "too far apart to compare";
}

TEST(CursorQueryTest, AWindowBelowTheMark) {
  auto plan = Plan({kTime}, 60, true);
  EXPECT_FALSE(plan.by_transaction) << "a window was asked for";
  EXPECT_EQ(
      ChangedCondition(plan, CursorMark{"2026-01-01 00:00:00+00"}, {}, {}),
      "(\"at\" >= CAST('2026-01-01 00:00:00+00' AS timestamp with time zone) - interval '60 s' "
      "OR \"at\" IS NULL)");
  EXPECT_EQ(ChangedCondition(plan, {}, {}, {}), "true");
  EXPECT_EQ(Plan({kTime}, -1, false).window, 600);
}

TEST(CursorQueryTest, ColumnsAreComparedAsRowsAndQuoted) {
  auto plan = Plan({kText, kTime}, -1, false);
  EXPECT_EQ(ChangedCondition(plan, CursorMark{"o'c", "2026-01-01"}, {}, {}),
            "((\"Te\"\"xt\", \"at\") >= (CAST('o''c' AS text), CAST('2026-01-01' AS timestamp with "
            "time zone)) OR \"Te\"\"xt\" IS NULL OR \"at\" IS NULL)");
}

TEST(CursorQueryTest, WhatLiesInTheFutureIsNoMark) {
  EXPECT_EQ(MarkQuery(Plan({kTime}, 0, false), "t"),
            "SELECT \"at\"::text AS __freshet_0 FROM t WHERE \"at\" IS NOT NULL AND "
            "isfinite(\"at\") AND \"at\" <= "
            "clock_timestamp() ORDER BY \"at\" DESC LIMIT 1");
}

TEST(CursorRulesTest, TheMostParticularFieldWins) {
  auto rules = CursorRules::Parse(
      R"([{"cursor_columns": ["a"]}, {"schema": "s", "late_commit_window": 5},
          {"schema": "s", "table": "t", "cursor_columns": ["b", "c"]}])");
  ASSERT_TRUE(rules.ok());
  auto rule = rules->Of({"s", "t"});
  EXPECT_EQ(rule.cursor_columns, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(rule.window, 5);
  EXPECT_EQ(rules->Of({"x", "t"}).cursor_columns, (std::vector<std::string>{"a"}));
  EXPECT_EQ(rules->Of({"x", "t"}).window, -1);
  EXPECT_FALSE(CursorRules::Parse("{").ok());
}

TEST(QueriedPositionTest, SurvivesItsCursor) {
  QueriedPosition position;
  position.source = "1-2-queries";
  position.read = 7;
  position.lsn = 99;
  position.moment = {.xmin = uint64_t{1} << 40U, .xmax = (uint64_t{1} << 40U) + 1, .timeline = 3};
  auto back = QueriedFromCursor(ToCursor(position));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->source, position.source);
  EXPECT_EQ(back->read, 7U);
  EXPECT_EQ(back->moment.xmin, position.moment.xmin);
  EXPECT_TRUE(back->notes.empty());
  EXPECT_TRUE(
      QueriedFromCursor({"0/16 epoch=1 source=x"}).status().Is(ErrorClass::STAGING_CORRUPT));
}

TEST(QueriedPositionTest, OlderCursorsHoldTheMarksOfTables) {
  auto back = QueriedFromCursor(
      {R"({"queries":1,"source":"1-2-queries","read":7,"lsn":"0/63","xmin":3,"xmax":4,"timeline":1,)"
       R"("marks":{"12":["a\"b","c"]},"swept":{"12":[5,6],"13":[7,8]}})"});
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->notes["12"].mark, (CursorMark{"a\"b", "c"}));
  EXPECT_EQ(back->notes["12"].swept->rows, 6);
  EXPECT_FALSE(back->notes["13"].mark);
  EXPECT_EQ(back->notes["13"].swept->at_seconds, 7);
}

TEST(TableNotesTest, SurviveTheirMemo) {
  EXPECT_EQ(ToMemo({}), "") << "there is nothing to keep";
  EXPECT_FALSE(NotesFromMemo("")->mark);
  TableNotes notes{.mark = CursorMark{"a\"b", "\xFF"},
                   .swept = Swept{.at_seconds = 5, .rows = 6},
                   .since = ReadMoment{.xmin = uint64_t{1} << 40U, .xmax = 9, .timeline = 3}};
  auto back = NotesFromMemo(ToMemo(notes));
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(back->mark->front(), "a\"b");
  EXPECT_EQ(back->swept->rows, 6);
  EXPECT_EQ(back->since->xmin, notes.since->xmin);
  EXPECT_EQ(back->since->timeline, 3U);
  EXPECT_TRUE(NotesFromMemo("{").status().Is(ErrorClass::STAGING_CORRUPT));
}

}  // namespace
}  // namespace freshet::sources::postgres
