// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "delta/action_json.h"
#include "delta/table.h"

namespace freshet::delta {
namespace {

Column Nested() {
  Column column;
  column.name = column.physical = "c";
  column.id = record::ColumnId(3);
  column.type = arrow::struct_(
      {arrow::field("x", arrow::list(arrow::struct_({arrow::field("deep", arrow::int32())}))),
       arrow::field("odd, name", arrow::timestamp(arrow::TimeUnit::MICRO)),
       arrow::field("m", arrow::map(arrow::utf8(), arrow::utf8()))});
  return column;
}

TEST(SchemaTest, NestedTypesComeBack) {
  for (bool mapping : {false, true}) {
    const auto json = ColumnsToJson({Nested()}, mapping);
    const auto back = ColumnsFromJson(json);
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    EXPECT_TRUE((*back)[0].type->Equals(*Nested().type)) << (*back)[0].type->ToString();
    EXPECT_EQ(ColumnsToJson(*back, mapping), json);
  }
}

TEST(SchemaTest, FieldsInsideAreMappedWithIdsOfTheirOwn) {
  const NewTable table{.columns = {Nested()}, .properties = {}, .column_mapping = true};
  const auto [protocol, metadata] = Describe(table, 0);
  EXPECT_TRUE(protocol.reader_features.contains("timestampNtz"));
  const auto fields = ParseJsonOrThrow<Json>(metadata.schema_json)["fields"][0]["type"]["fields"];
  const auto id = [](const Json& field) {
    return field["metadata"]["delta.columnMapping.id"].get<int32_t>() - (3 << 16);
  };
  EXPECT_EQ(id(fields[0]), 1);
  EXPECT_EQ(id(fields[0]["type"]["elementType"]["fields"][0]), 2);
  EXPECT_EQ(id(fields[1]), 3);
  EXPECT_EQ(id(fields[2]), 4);
  EXPECT_EQ(fields[1]["metadata"]["delta.columnMapping.physicalName"], "odd, name");
  EXPECT_EQ(metadata.configuration.at("delta.columnMapping.maxColumnId"),
            std::to_string((3 << 16) + 4));
}

TEST(SchemaTest, MetadataOfOthersOnFieldsInsideStays) {
  const std::string schema =
      R"({"type":"struct","fields":[{"name":"c","type":{"type":"struct","fields":[{"name":"x",)"
      R"("type":"long","nullable":true,"metadata":{"comment":"theirs",)"
      R"("delta.columnMapping.id":9,"delta.columnMapping.physicalName":"x"}}]},)"
      R"("nullable":true,"metadata":{}}]})";
  const auto columns = ColumnsFromJson(schema);
  ASSERT_TRUE(columns.ok()) << columns.status().ToString();
  const auto again = ParseJsonOrThrow<Json>(ColumnsToJson(*columns, true));
  const auto metadata = again["fields"][0]["type"]["fields"][0]["metadata"];
  EXPECT_EQ(metadata["comment"], "theirs");
  EXPECT_EQ(metadata["delta.columnMapping.id"], 9);
}

TEST(SchemaTest, ARenamedFieldInsideIsRefused) {
  const std::string schema =
      R"({"type":"struct","fields":[{"name":"c","type":{"type":"struct","fields":[{"name":"new",)"
      R"("type":"long","nullable":true,"metadata":{"delta.columnMapping.physicalName":"old"}}]},)"
      R"("nullable":true,"metadata":{}}]})";
  EXPECT_TRUE(ColumnsFromJson(schema).status().Is(ErrorClass::DELTA_UNSUPPORTED));
}

}  // namespace
}  // namespace freshet::delta
