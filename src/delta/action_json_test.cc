// SPDX-License-Identifier: Apache-2.0
#include "delta/action_json.h"

#include <gtest/gtest.h>

#include "delta/table.h"

namespace freshet::delta {
namespace {

Action RoundTrip(const Action& action) {
  auto back = ActionFromJson(ToJson(action));
  EXPECT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_TRUE(back->has_value());
  return **back;
}

TEST(Actions, SurviveTheirJson) {
  AddFile add;
  add.path = "a b/ü%41.parquet";
  add.partition_values = {{"p", "1"}, {"q", std::nullopt}};
  add.bytes = 12;
  add.modified_at_ms = 1700000000001;
  add.stats_json = R"({"numRecords":3})";
  add.tags = {{"k", "v"}};
  add.deletion_vector = DeletionVectorDescriptor{'u', "ab^-aqEH.-t@S}K{vb[*k^", 4, 40, 6};
  add.base_row_id = 7;
  EXPECT_EQ(std::get<AddFile>(RoundTrip(add)), add);

  RemoveFile remove;
  remove.path = add.path;
  remove.deleted_at_ms = 5;
  remove.bytes = 12;
  remove.partition_values = add.partition_values;
  remove.deletion_vector = add.deletion_vector;
  EXPECT_EQ(std::get<RemoveFile>(RoundTrip(remove)), remove);

  const ChangeFile change{"_change_data/a b.parquet", 12};
  EXPECT_EQ(std::get<ChangeFile>(RoundTrip(change)), change);
  EXPECT_NE(ToJson(change).find(R"("dataChange":false)"), std::string::npos);
  CommitInfo info;
  info.in_commit_at_ms = 1700000000002;
  EXPECT_EQ(std::get<CommitInfo>(RoundTrip(info)).in_commit_at_ms, info.in_commit_at_ms);
  const Txn txn{"orders/changes", 42, 1700000000000};
  EXPECT_EQ(std::get<Txn>(RoundTrip(txn)), txn);
  const DomainMetadata domain{"d", "{}", true};
  EXPECT_EQ(std::get<DomainMetadata>(RoundTrip(domain)), domain);
  Protocol protocol{3, 7, {"deletionVectors"}, {"deletionVectors", "appendOnly"}};
  EXPECT_EQ(std::get<Protocol>(RoundTrip(protocol)), protocol);
  Metadata metadata{"id", "name", "", R"({"type":"struct","fields":[]})", {}, {{"a", "b"}}, 9};
  EXPECT_EQ(std::get<Metadata>(RoundTrip(metadata)), metadata);
}

TEST(Actions, PathsAreEncodedAndAbsoluteOnesLeftAlone) {
  EXPECT_EQ(EncodePath("p=a b/x%y+ü.parquet"), "p=a%20b/x%25y%2B%C3%BC.parquet");
  EXPECT_EQ(DecodePath("p=a%20b/x%25y%2B%C3%BC.parquet"), "p=a b/x%y+ü.parquet");
  EXPECT_EQ(DecodePath("s3://bucket/a%20b"), "s3://bucket/a%20b");
  EXPECT_EQ(DecodePath("odd%zz%4"), "odd%zz%4");
}

TEST(Actions, UnknownKindsCarryNothingAndBadOnesAreRefused) {
  auto sidecar = ActionFromJson(R"({"sidecar":{"path":"x","sizeInBytes":1}})");
  ASSERT_TRUE(sidecar.ok());
  EXPECT_FALSE(sidecar->has_value());
  EXPECT_TRUE(ActionFromJson(R"({"add":{"path":"x"}})").status().Is(ErrorClass::DELTA_CORRUPT));
  EXPECT_TRUE(ActionFromJson(R"({"add":{"path":"x","si)").status().Is(ErrorClass::DELTA_CORRUPT));
  EXPECT_TRUE(
      ActionFromJson(R"({"txn":{"appId":1,"version":2}})").status().Is(ErrorClass::DELTA_CORRUPT));
  EXPECT_TRUE(ActionFromJson("[]").status().Is(ErrorClass::DELTA_CORRUPT));
}

Column MakeColumn(std::string name, int32_t id, std::shared_ptr<arrow::DataType> type) {
  Column column;
  column.name = column.physical = std::move(name);
  column.id = record::ColumnId(id);
  column.type = std::move(type);
  return column;
}

TEST(Schema, EveryTypeSurvivesItsJson) {
  std::vector<Column> columns;
  for (const auto& type :
       {arrow::boolean(), arrow::int8(), arrow::int16(), arrow::int32(), arrow::int64(),
        arrow::float32(), arrow::float64(), arrow::utf8(), arrow::binary(), arrow::date32(),
        arrow::timestamp(arrow::TimeUnit::MICRO), arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
        arrow::decimal128(38, 10), arrow::list(arrow::utf8()),
        arrow::list(arrow::decimal128(5, 0))}) {
    columns.push_back(MakeColumn("c" + std::to_string(columns.size()),
                                 static_cast<int32_t>(columns.size()) + 1, type));
  }
  for (bool mapping : {false, true}) {
    if (mapping) columns[0].physical = "col-1";
    auto back = ColumnsFromJson(ColumnsToJson(columns, mapping));
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    ASSERT_EQ(back->size(), columns.size());
    for (size_t i = 0; i < columns.size(); ++i) {
      EXPECT_EQ((*back)[i].name, columns[i].name);
      EXPECT_EQ((*back)[i].physical, columns[i].physical);
      EXPECT_EQ((*back)[i].id, columns[i].id);
      EXPECT_TRUE((*back)[i].type->Equals(*columns[i].type)) << columns[i].type->ToString();
    }
  }
}

TEST(Schema, KeepsForeignMetadataAndRefusesTypesNotRead) {
  const std::string json =
      R"({"type":"struct","fields":[{"name":"a","type":"long","nullable":false,"metadata":{"comment":"hi","freshet.id":3}}]})";
  auto columns = ColumnsFromJson(json);
  ASSERT_TRUE(columns.ok());
  EXPECT_EQ((*columns)[0].id.value(), 3);
  EXPECT_FALSE((*columns)[0].nullable);
  EXPECT_EQ(ParseJsonOrThrow<Json>(ColumnsToJson(*columns, false)), ParseJsonOrThrow<Json>(json));
  auto variant = ColumnsFromJson(
      R"({"type":"struct","fields":[{"name":"a","type":{"type":"map","keyType":"string","valueType":"variant"}}]})");
  EXPECT_TRUE(variant.status().Is(ErrorClass::DELTA_UNSUPPORTED));
  EXPECT_TRUE(ColumnsFromJson("{").status().Is(ErrorClass::DELTA_CORRUPT));
  EXPECT_FALSE(IsPlainName("a b"));
  EXPECT_FALSE(IsPlainName("a=b"));
  EXPECT_TRUE(IsPlainName("a.b-ü"));
}

}  // namespace
}  // namespace freshet::delta
