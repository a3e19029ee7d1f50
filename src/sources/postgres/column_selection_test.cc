// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/column_selection.h"

#include <gtest/gtest.h>

namespace freshet::sources::postgres {
namespace {

TEST(ColumnSelectionTest, TheMostParticularRuleHolds) {
  auto selection = ColumnSelection::Parse(
      R"([{"exclude_columns": ["secret"]},
          {"schema": "public", "table": "users", "include_columns": ["id", "secret"]}])");
  ASSERT_TRUE(selection.ok()) << selection.status().ToString();
  EXPECT_FALSE(selection->Selects({"public", "orders"}, "secret"));
  EXPECT_TRUE(selection->Selects({"public", "orders"}, "Secret"));
  EXPECT_TRUE(selection->Selects({"public", "orders"}, "added later"));
  EXPECT_TRUE(selection->Selects({"public", "users"}, "secret"));
  EXPECT_FALSE(selection->Selects({"public", "users"}, "added later"));
}

TEST(ColumnSelectionTest, WithoutRulesAllAre) {
  EXPECT_TRUE(ColumnSelection::Parse("")->Selects({"public", "t"}, "c"));
  EXPECT_TRUE(ColumnSelection::Parse("{").status().Is(ErrorClass::INVALID_ARGUMENT));
}

}  // namespace
}  // namespace freshet::sources::postgres
