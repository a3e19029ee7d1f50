// SPDX-License-Identifier: Apache-2.0
#include "record/shape.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace freshet::record {
namespace {

TableShape ShapeOf(arrow::FieldVector fields) {
  TableShape shape{
      TableId("16384"), {"public", "orders"}, 1, arrow::schema(std::move(fields)), {}, {}, {}};
  for (int i = 0; i < shape.width(); ++i) shape.ids.emplace_back(i + 1);
  if (shape.width() > 0) shape.key = {0};
  return shape;
}

TEST(CheckShape, TakesEveryTypeThatDeltaHas) {
  std::vector<std::shared_ptr<arrow::DataType>> types = {
      arrow::boolean(),
      arrow::int8(),
      arrow::int16(),
      arrow::int32(),
      arrow::int64(),
      arrow::float32(),
      arrow::float64(),
      arrow::utf8(),
      arrow::binary(),
      arrow::date32(),
      arrow::timestamp(arrow::TimeUnit::MICRO),
      arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
      arrow::decimal128(38, 10)};
  for (const auto& type : types) {
    EXPECT_TRUE(CheckShape(ShapeOf({arrow::field("c", type)})).ok()) << type->ToString();
    EXPECT_TRUE(CheckShape(ShapeOf({arrow::field("c", arrow::list(type))})).ok());
    EXPECT_TRUE(CheckShape(ShapeOf({arrow::field("c", arrow::list(arrow::list(type)))})).ok());
    EXPECT_TRUE(
        CheckShape(ShapeOf({arrow::field("c", arrow::struct_({arrow::field("f", type)}))})).ok());
  }
}

TEST(CheckShapeDeathTest, OtherTypesAreOurOwnMistake) {
  EXPECT_DEATH((void)CheckShape(ShapeOf({arrow::field("c", arrow::uint32())})), "has type uint32");
  EXPECT_DEATH(
      (void)CheckShape(ShapeOf({arrow::field("c", arrow::list(arrow::list(arrow::uint8())))})),
      "has type list");
  EXPECT_DEATH(
      (void)CheckShape(ShapeOf({arrow::field("c", arrow::timestamp(arrow::TimeUnit::NANO))})),
      "has type timestamp");
}

TEST(CheckShapeDeathTest, IdsAndKeyPointAtColumns) {
  TableShape twice =
      ShapeOf({arrow::field("a", arrow::int32()), arrow::field("b", arrow::int32())});
  twice.ids[1] = twice.ids[0];
  EXPECT_DEATH((void)CheckShape(twice), "column b has id 1");
  TableShape zero = ShapeOf({arrow::field("a", arrow::int32())});
  zero.ids[0] = ColumnId(0);
  EXPECT_DEATH((void)CheckShape(zero), "has id 0");
  TableShape key = ShapeOf({arrow::field("a", arrow::int32())});
  key.key = {1};
  EXPECT_DEATH((void)CheckShape(key), "ordinal");
}

TEST(CheckShape, NamesTheUsersColumnThatCannotBeHeld) {
  Status reserved = CheckShape(ShapeOf({arrow::field("__freshet_op", arrow::int32())}));
  EXPECT_TRUE(reserved.Is(ErrorClass::COLUMN_RESERVED)) << reserved.ToString();
  Status conflict = CheckShape(
      ShapeOf({arrow::field("Name", arrow::utf8()), arrow::field("name", arrow::utf8())}));
  EXPECT_TRUE(conflict.Is(ErrorClass::COLUMN_NAME_CONFLICT)) << conflict.ToString();
  EXPECT_NE(conflict.ToString().find("public.orders"), std::string::npos);
}

TEST(TableShape, SameColumnsIgnoresTheVersionOnly) {
  TableShape shape = ShapeOf({arrow::field("a", arrow::int32()), arrow::field("b", arrow::utf8())});
  TableShape other = shape;
  other.version = 9;
  EXPECT_TRUE(shape.SameColumns(other));
  other.key = {1};
  EXPECT_FALSE(shape.SameColumns(other));
  other = shape;
  other.ids[1] = ColumnId(7);
  EXPECT_FALSE(shape.SameColumns(other)) << "a column dropped and added again is another column";
  other = shape;
  other.schema =
      arrow::schema({arrow::field("a", arrow::int64()), arrow::field("b", arrow::utf8())});
  EXPECT_FALSE(shape.SameColumns(other));
  other.schema =
      arrow::schema({arrow::field("a", arrow::int32()), arrow::field("c", arrow::utf8())});
  EXPECT_FALSE(shape.SameColumns(other));
}

}  // namespace
}  // namespace freshet::record
