// SPDX-License-Identifier: Apache-2.0
#include "staging/shape_json.h"
#include "base/json.h"

#include <gtest/gtest.h>

namespace freshet::staging {
namespace {

record::TableShape ShapeOf(std::shared_ptr<arrow::DataType> type) {
  record::TableShape shape;
  shape.id = record::TableId("1");
  shape.name = {.schema = "public", .table = "t"};
  shape.schema = arrow::schema({arrow::field("c", std::move(type))});
  shape.ids.emplace_back(1);
  return shape;
}

TEST(ShapeJsonTest, NestedTypesComeBack) {
  auto point = arrow::struct_(
      {arrow::field("x", arrow::int32()), arrow::field("list<odd>", arrow::decimal128(10, 2))});
  for (const auto& type :
       {arrow::list(arrow::list(arrow::utf8())), point, arrow::list(point),
        arrow::map(arrow::utf8(), arrow::utf8()),
        arrow::struct_({arrow::field("in", arrow::list(point)),
                        arrow::field("m", arrow::map(arrow::utf8(), arrow::utf8()))})}) {
    auto back = ShapeFromJson(ShapeToJson(ShapeOf(type)));
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    EXPECT_TRUE(back->SameColumns(ShapeOf(type))) << type->ToString();
  }
}

TEST(ShapeJsonTest, ScalarsAndTheirListsAreText) {
  auto type = ShapeToJson(ShapeOf(arrow::list(arrow::int32())))["columns"][0]["type"];
  EXPECT_EQ(type, "list<int32>");
}

TEST(ShapeJsonTest, WhetherTheLogTellsOfATableComesBack) {
  auto shape = ShapeOf(arrow::int32());
  EXPECT_FALSE(ShapeToJson(shape).contains("logged"));
  EXPECT_TRUE(ShapeFromJson(ShapeToJson(shape))->logged);
  shape.logged = false;
  EXPECT_FALSE(ShapeFromJson(ShapeToJson(shape))->logged);
}

TEST(ShapeJsonTest, CommentsComeBackIfTheyAreKnown) {
  auto shape = ShapeOf(arrow::int32());
  EXPECT_FALSE(ShapeFromJson(ShapeToJson(shape))->comments.has_value());
  shape.comments = record::TableComments{"what \"it\" holds", {{record::ColumnId(1), "ü"}}};
  EXPECT_EQ(ShapeFromJson(ShapeToJson(shape))->comments, shape.comments);
}

TEST(ShapeJsonTest, TypesWithoutEndAreRefused) {
  auto json = ShapeToJson(ShapeOf(arrow::int32()));
  nlohmann::json deep = "int32";
  for (int i = 0; i < 1000; ++i) deep = {{"list", std::move(deep)}};
  json["columns"][0]["type"] = deep;
  EXPECT_TRUE(ShapeFromJson(json).status().Is(ErrorClass::STAGING_CORRUPT));
}

}  // namespace
}  // namespace freshet::staging
