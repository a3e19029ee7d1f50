// SPDX-License-Identifier: Apache-2.0
#include "pipeline/spec_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet::pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

PipelineSpec Read(std::string_view text) {
  PipelineSpec spec;
  auto status = ReadSpec(text, "spec.yaml", &spec);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return spec;
}

Status Refuse(std::string_view text) {
  PipelineSpec spec;
  return ReadSpec(text, "spec.yaml", &spec);
}

constexpr std::string_view kSpec = R"(connection_name: shop
objects:
  - table:
      source_catalog: shop
      source_schema: public
      source_table: orders
      destination_catalog: main
      destination_schema: bronze
      destination_table: all_orders
      table_configuration: {scd_type: SCD_TYPE_1}
  - schema:
      source_schema: public
      destination_catalog: main
      destination_schema: raw
source_configurations:
  - catalog:
      source_catalog: shop
      postgres: {slot_config: {slot_name: mine, publication_name: ours}}
)";

TEST(SpecReaderTest, ReadsTheDefinition) {
  auto spec = Read(kSpec);
  EXPECT_EQ(spec.slot, "mine");
  EXPECT_EQ(spec.publication, "ours");
  EXPECT_THAT(spec.catalogs, ElementsAre("shop"));
  EXPECT_TRUE(spec.Selects({"public", "customers"}));
  EXPECT_FALSE(spec.Selects({"other", "customers"}));
  EXPECT_EQ(spec.DestinationOf({"public", "orders"}), (record::TableName{"bronze", "all_orders"}));
  EXPECT_EQ(spec.DestinationOf({"public", "customers"}), (record::TableName{"raw", "customers"}));
  EXPECT_THAT(spec.Unmatched({{"public", "customers"}}), ElementsAre("public.orders"));
  EXPECT_TRUE(spec.Names({"public", "orders"}));
  EXPECT_FALSE(spec.Names({"public", "customers"})) << "its schema is named, not itself";
}

TEST(SpecReaderTest, APatternNamesATableIfItHasNoStar) {
  PipelineSpec spec;
  EXPECT_FALSE(spec.Names({"public", "orders"}));
  for (auto* text : {"public.orders", "public.new*", "sales.*"})
    spec.tables.push_back(TablePattern::Parse(text).value());
  EXPECT_TRUE(spec.Names({"public", "orders"}));
  EXPECT_FALSE(spec.Names({"public", "newest"}));
  EXPECT_FALSE(spec.Names({"sales", "orders"}));
  EXPECT_EQ(SpecFromJson(ToJson(spec))->reread_interval, spec.reread_interval);
}

TEST(SpecReaderTest, RefusesAnotherKindOfSource) {
  EXPECT_TRUE(Read("source_type: POSTGRESQL").objects.empty());
  EXPECT_TRUE(Refuse("source_type: MYSQL").Is(ErrorClass::UNSUPPORTED_FIELD));
}

TEST(SpecReaderTest, ReadsJsonAndTheNestedForm) {
  auto spec = Read(
      R"({"ingestion_definition": {"objects": [{"schema": {"source_schema": "s", "destination_schema": "d"}}]}})");
  ASSERT_EQ(spec.objects.size(), 1u);
  EXPECT_EQ(spec.DestinationOf({"s", "t"}), (record::TableName{"d", "t"}));
}

TEST(SpecReaderTest, FlagsComeBeforeTheFile) {
  PipelineSpec spec;
  spec.slot = "flag";
  ASSERT_TRUE(ReadSpec(kSpec, "spec.yaml", &spec).ok());
  EXPECT_EQ(spec.slot, "flag");
}

TEST(SpecReaderTest, RefusesWhatIsNotBuiltByName) {
  for (auto* field : {"primary_keys: [a]", "row_filter: a > 1", "clustering_columns: [a]",
                      "enable_auto_clustering: true"}) {
    auto status =
        Refuse(fmt::format("objects:\n- table:\n    source_schema: s\n    source_table: t\n"
                           "    table_configuration:\n      {}\n",
                           field));
    ASSERT_FALSE(status.ok()) << field;
    EXPECT_EQ(status.error_class(), ErrorClass::UNSUPPORTED_FIELD) << field;
    std::string name(field, std::string_view(field).find(':'));
    EXPECT_THAT(status.message(),
                HasSubstr("spec.yaml line 6: objects[0].table.table_configuration." + name));
  }
  EXPECT_TRUE(Refuse("full_refresh_window: {start_hour: 1}").Is(ErrorClass::UNSUPPORTED_FIELD));
  EXPECT_TRUE(Refuse("objects: [{report: {source_url: x}}]").Is(ErrorClass::UNSUPPORTED_FIELD));
}

TEST(SpecReaderTest, HistoryIsTakenFieldByFieldFromTheTableItsSchemaOrAll) {
  auto spec = Read(
      "table_configuration: {scd_type: SCD_TYPE_2, sequence_by: v}\n"
      "objects:\n"
      "- schema:\n    source_schema: s\n"
      "    table_configuration: {sequence_by: [a, b], soft_delete: true}\n"
      "- table:\n    source_schema: s\n    source_table: t\n"
      "    table_configuration: {scd_type: SCD_TYPE_1}\n"
      "- table:\n    source_schema: s\n    source_table: log\n"
      "    table_configuration: {scd_type: APPEND_ONLY}\n");
  using apply::ScdType;
  using Columns = std::vector<std::string>;
  EXPECT_EQ(spec.HistoryOf({"other", "t"}),
            (apply::HistoryRules{ScdType::kType2, Columns{"v"}, false}));
  EXPECT_EQ(spec.HistoryOf({"s", "u"}),
            (apply::HistoryRules{ScdType::kType2, Columns{"a", "b"}, false}));
  EXPECT_EQ(spec.HistoryOf({"s", "t"}),
            (apply::HistoryRules{ScdType::kType1, Columns{"a", "b"}, true}));
  EXPECT_EQ(spec.HistoryOf({"s", "log"}),
            (apply::HistoryRules{ScdType::kAppendOnly, Columns{}, false}));
  // An option speaks of all tables, and comes before what the file says of all.
  spec.history_rules.push_back({.schema = "", .table = "", .scd_type = ScdType::kType1});
  EXPECT_EQ(spec.HistoryOf({"other", "t"}).scd_type, ScdType::kType1);
  EXPECT_EQ(spec.HistoryOf({"s", "log"}).scd_type, ScdType::kAppendOnly);
  auto read = SpecFromJson(ToJson(spec));
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->HistoryOf({"s", "t"}), spec.HistoryOf({"s", "t"}));
  EXPECT_TRUE(
      Refuse("table_configuration: {scd_type: SCD_TYPE_3}").Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_TRUE(
      Refuse("table_configuration: {soft_delete: perhaps}").Is(ErrorClass::INVALID_ARGUMENT));
}

TEST(SpecReaderTest, ReadsCaptureByQueries) {
  auto spec = Read(
      "objects:\n- table:\n    source_schema: s\n    source_table: t\n    table_configuration:\n"
      "      primary_keys: [id]\n      query_based_connector_config:\n"
      "        deletion_condition: gone\n        hard_deletion_sync_min_interval_in_seconds: 60\n"
      "table_configuration: {cursor_columns: [a, b]}\n");
  EXPECT_TRUE(spec.query_based);
  EXPECT_EQ(ToJson(spec.cursor_rules),
            R"([{"cursor_columns":["a","b"]},{"schema":"s","table":"t","primary_keys":["id"],)"
            R"("deletion_condition":"gone","hard_deletion_sync_min_interval_in_seconds":60}])");
  EXPECT_TRUE(Refuse("connector_type: CDC\ntable_configuration: {cursor_column: a}")
                  .Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_TRUE(Refuse("table_configuration: {query_based_connector_config: "
                     "{hard_deletion_sync_min_interval_in_seconds: -1}}")
                  .Is(ErrorClass::INVALID_ARGUMENT));
}

TEST(SpecReaderTest, ReadsWhatBecomesOfTablesThatChange) {
  auto spec = Read(
      "objects:\n- table:\n    source_schema: s\n    source_table: t\n    table_configuration:\n"
      "      on_schema_change: ignore\n      include_columns: [a, b]\n- schema:\n"
      "    source_schema: s\n    table_configuration: {exclude_columns: [c]}\n"
      "table_configuration:\n  on_schema_change: pause\n"
      "  auto_full_refresh_policy: {enabled: true}\n");
  auto back = SpecFromJson(ToJson(spec));
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  auto table = RuleOf(back->table_rules, {"s", "t"});
  EXPECT_EQ(table.on_schema_change, capture::OnSchemaChange::kIgnore);
  EXPECT_THAT(table.include_columns, testing::ElementsAre("a", "b"));
  EXPECT_TRUE(table.exclude_columns.empty()) << "the most particular selection holds whole";
  EXPECT_EQ(RefreshInterval(table), std::chrono::hours(24));
  auto other = RuleOf(back->table_rules, {"s", "u"});
  EXPECT_EQ(other.on_schema_change, capture::OnSchemaChange::kPause);
  EXPECT_THAT(other.exclude_columns, testing::ElementsAre("c"));
  EXPECT_EQ(ColumnRulesJson(back->table_rules),
            R"([{"exclude_columns":["c"],"schema":"s"},)"
            R"({"include_columns":["a","b"],"schema":"s","table":"t"}])");
  for (auto* wrong : {"on_schema_change: stop", "{include_columns: [a], exclude_columns: [b]}",
                      "auto_full_refresh_policy: {min_interval_hours: 1}",
                      "auto_full_refresh_policy: {enabled: true, min_interval_hours: -1}"}) {
    auto status = Refuse(std::string("table_configuration:\n  ") + wrong);
    EXPECT_TRUE(status.Is(ErrorClass::INVALID_ARGUMENT)) << wrong << ": " << status.ToString();
  }
}

TEST(SpecReaderTest, ReadsTableProperties) {
  auto spec = Read(
      "objects:\n- table:\n    source_schema: s\n    source_table: t\n    table_configuration:\n"
      "      table_properties: {delta.enableInCommitTimestamps: true, owner: me}\n"
      "table_configuration:\n  table_properties: {owner: all, delta.appendOnly: 'false'}\n");
  auto back = SpecFromJson(ToJson(spec));
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  using Properties = std::map<std::string, std::string>;
  EXPECT_EQ(back->PropertiesOf({"s", "t"}), (Properties{{"delta.appendOnly", "false"},
                                                        {"delta.enableInCommitTimestamps", "true"},
                                                        {"owner", "me"}}));
  EXPECT_EQ(back->PropertiesOf({"s", "u"}),
            (Properties{{"delta.appendOnly", "false"}, {"owner", "all"}}));
  for (auto* wrong : {"freshet.flow: mine", "delta.appendOnly: true", "delta.constraints.c: id > 0",
                      "delta.enableInCommitTimestamps: 1", "delta.columnMapping.mode: id",
                      "delta.enableDeletionVectors: false", "owner: [a]"}) {
    auto status = Refuse(fmt::format("table_configuration:\n  table_properties: {{{}}}\n", wrong));
    EXPECT_TRUE(status.Is(ErrorClass::INVALID_ARGUMENT)) << wrong << ": " << status.ToString();
    EXPECT_THAT(status.message(), HasSubstr("line 2")) << wrong;
  }
}

TEST(SpecReaderTest, RefusesUnknownFieldsWithTheirLine) {
  auto status = Refuse("objects:\n- schema:\n    source_schema: s\n    sorce: x\n");
  ASSERT_TRUE(status.Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_THAT(status.message(), HasSubstr("spec.yaml line 4: objects[0].schema.sorce"));
  EXPECT_TRUE(Refuse("objects: [{table: {source_schema: s}}]").Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_TRUE(Refuse("objects: [{table: {}, schema: {}}]").Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_TRUE(Refuse("objects: {").Is(ErrorClass::INVALID_ARGUMENT));
  EXPECT_TRUE(Refuse("just text").Is(ErrorClass::INVALID_ARGUMENT));
}

TEST(SpecTest, SurvivesTheWireToAWorker) {
  auto spec = Read(kSpec);
  auto pattern = TablePattern::Parse("public.x*");
  ASSERT_TRUE(pattern.ok());
  spec.excludes.push_back(*pattern);
  auto back = SpecFromJson(ToJson(spec));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->objects, spec.objects);
  EXPECT_EQ(back->slot, "mine");
  EXPECT_FALSE(back->Selects({"public", "xx"}));
  EXPECT_TRUE(back->Selects({"public", "yy"}));
}

}  // namespace
}  // namespace freshet::pipeline
