// SPDX-License-Identifier: Apache-2.0
#include "staging/manifest.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "fakes/rows.h"

namespace freshet::staging {
namespace {

record::TableShape EveryType() {
  auto shape =
      fakes::MakeShape("16384", "Odd Schema", "t\"ä",
                       {{"id", arrow::int64()},
                        {"b", arrow::boolean()},
                        {"i8", arrow::int8()},
                        {"i16", arrow::int16()},
                        {"i32", arrow::int32()},
                        {"f", arrow::float32()},
                        {"d", arrow::float64()},
                        {"s", arrow::utf8()},
                        {"y", arrow::binary()},
                        {"day", arrow::date32()},
                        {"ntz", arrow::timestamp(arrow::TimeUnit::MICRO)},
                        {"tz", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")},
                        {"n", arrow::decimal128(38, 9)},
                        {"list", arrow::list(arrow::field("item", arrow::decimal128(5, 2)))}});
  shape.version = 3;
  return shape;
}

const FlowId kFlow("p-16384");
const TableId kTable("16384");

GenerationBegun Begun(int64_t generation, int64_t chunks) {
  return {.flow = kFlow,
          .table = kTable,
          .generation = Generation(generation),
          .position = Sequence::Of(1, 500, 0),
          .taken_at = 77,
          .shape_version = 3,
          .first_segment = SegmentNumber(2),
          .chunks = chunks,
          .rows_estimated = 12,
          .view = "view-1",
          .plan = std::vector<std::string>(static_cast<size_t>(chunks), "a chunk")};
}

ChunkDone Done(int64_t generation, int64_t chunk, int64_t rows) {
  return {.flow = kFlow,
          .table = kTable,
          .generation = Generation(generation),
          .chunk = chunk,
          .rows = rows,
          .values_nulled = 1};
}

/// A manifest with one entry of every kind.
Manifest EveryEntry() {
  Manifest manifest{.number = SegmentNumber(1),
                    .staging_id = "s",
                    .writer_id = "w",
                    .sealed_at = 1,
                    .cursor = {"0/16B3748"},
                    .committed_at = 55,
                    .packs = {"packs/a"},
                    .entries = {},
                    .checkpoint = {}};
  manifest.entries.push_back(
      TableListed{.table = kTable, .name = {.schema = "Odd Schema", .table = "t\"ä"}});
  manifest.entries.push_back(ShapeNoted{.shape = EveryType(), .at = Sequence::Of(1, 2, 3)});
  manifest.entries.push_back(ChangeRun{.table = kTable,
                                       .shape_version = 3,
                                       .pack = 0,
                                       .offset = 8,
                                       .length = 9,
                                       .rows = 6,
                                       .inserts = 1,
                                       .updates = 2,
                                       .deletes = 3,
                                       .first = Sequence::Of(1, 9, 1),
                                       .last = Sequence::Of(1, 9, 6),
                                       .committed_first = 50,
                                       .committed_last = 55,
                                       .has_missing = true});
  manifest.entries.push_back(TableEnded{.kind = record::TableEnd::Kind::kTruncated,
                                        .table = kTable,
                                        .at = Sequence::Of(1, 10, 1),
                                        .committed_at = 56});
  manifest.entries.push_back(Begun(4, 3));
  manifest.entries.push_back(RestBegun{.flow = kFlow,
                                       .table = kTable,
                                       .generation = Generation(4),
                                       .position = Sequence::Of(1, 11, 0),
                                       .taken_at = 57,
                                       .view = "later",
                                       .plan = {"one", "two", "three", "four"}});
  manifest.entries.push_back(SnapshotPart{.flow = kFlow,
                                          .table = kTable,
                                          .generation = Generation(4),
                                          .chunk = 1,
                                          .path = "parts/x",
                                          .rows = 5,
                                          .bytes = 99});
  manifest.entries.push_back(Done(4, 1, 5));
  manifest.entries.push_back(GenerationEnded{
      .flow = kFlow, .table = kTable, .generation = Generation(4), .rows = 5, .values_nulled = 2});
  manifest.entries.push_back(GenerationAbandoned{.flow = kFlow,
                                                 .table = kTable,
                                                 .generation = Generation(4),
                                                 .successor = Generation(5),
                                                 .why = "truncated"});
  manifest.entries.push_back(PartitionsNoted{.table = kTable, .partitions = {"7@2", "8@1/9@3"}});
  manifest.entries.push_back(MemoNoted{.table = kTable, .memo = "{\"swept\":[1,2]}"});
  manifest.entries.push_back(ImprintNoted{
      .table = kTable,
      .imprint = {.readings = {{"1", "25"}}, .columns = {{"1", "700"}}, .files = {{"7", "9"}}}});
  manifest.entries.push_back(TableBroken{
      .table = kTable, .error_class = "KEY_CHANGED", .message = "it did", .remedy = "undo it"});
  manifest.entries.push_back(TableEnded{
      .kind = record::TableEnd::Kind::kDropped, .table = kTable, .at = {}, .committed_at = 0});
  return manifest;
}

/// A whole generation, a shape with a column that no change fills, and a generation of that alone.
TEST(Manifest, ColumnsReadAlone) {
  Checkpoint state;
  auto note = [&](const Entry& entry, int64_t segment) {
    AdvanceBy(entry, SegmentNumber(segment), &state);
  };
  note(ShapeNoted{.shape = EveryType(), .at = {}}, 1);
  note(Begun(1, 0), 2);
  note(GenerationEnded{.flow = kFlow, .table = kTable, .generation = Generation(1)}, 2);
  auto shape = EveryType();
  shape.version = 4;
  note(ShapeNoted{.shape = shape, .at = {}, .unfilled = {record::ColumnId(2)}}, 5);
  const TableState& table = state.tables.at(kTable);
  const GenerationState& generation = table.generations.at(kFlow);
  EXPECT_TRUE(table.WantsColumns(generation));
  EXPECT_EQ(table.LackingSince(generation, 3), SegmentNumber(5));
  EXPECT_EQ(table.LackingSince(generation, 4), std::nullopt);
  EXPECT_EQ(table.Lacking(generation), (std::vector{record::ColumnId(2)}));

  auto fill = Begun(2, 1);
  fill.shape_version = 4;
  fill.columns = table.Lacking(generation);
  note(fill, 6);
  EXPECT_FALSE(table.WantsColumns(generation));
  EXPECT_EQ(generation.whole().generation, Generation(1));
  EXPECT_TRUE(generation.fillable());
  Manifest manifest = EveryEntry();
  manifest.number = SegmentNumber(7);
  manifest.checkpoint = state;
  auto read = FromJson(ToJson(manifest));
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(ToJson(*read), ToJson(manifest));
  const GenerationState& kept = read->checkpoint->tables.at(kTable).generations.at(kFlow);
  EXPECT_EQ(kept.begun.columns, fill.columns);
  EXPECT_EQ(kept.whole().generation, Generation(1));
  EXPECT_EQ(read->checkpoint->tables.at(kTable).unfilled.at(4).since, SegmentNumber(5));

  GenerationAbandoned abandoned{.flow = kFlow,
                                .table = kTable,
                                .generation = Generation(2),
                                .successor = Generation(3),
                                .why = "the view is gone"};
  note(abandoned, 7);
  EXPECT_TRUE(generation.fillable());
  abandoned.untold = true;
  note(abandoned, 8);
  EXPECT_FALSE(generation.fillable());
  EXPECT_EQ(generation.whole().generation, Generation(1));
}

/// They are needed from the last but one whole generation of any flow on.
TEST(Manifest, ColumnsReadAloneAreForgottenOnceWholeGenerationsHaveThem) {
  Checkpoint state;
  int64_t segment = 0;
  auto note = [&](const Entry& entry) { AdvanceBy(entry, SegmentNumber(++segment), &state); };
  auto shape = [&](int32_t version) {
    auto noted = EveryType();
    noted.version = version;
    note(ShapeNoted{.shape = noted, .at = {}, .unfilled = {record::ColumnId(2)}});
  };
  auto read = [&](int64_t generation, int32_t version, const FlowId& flow = kFlow) {
    auto begun = Begun(generation, 0);
    begun.flow = flow;
    begun.shape_version = version;
    note(begun);
    note(GenerationEnded{.flow = flow, .table = kTable, .generation = Generation(generation)});
  };
  auto kept = [&] {
    std::vector<int32_t> versions;
    for (const auto& [version, unfilled] : state.tables.at(kTable).unfilled)
      versions.push_back(version);
    return versions;
  };
  read(1, 3);
  shape(4);
  auto unended = Begun(2, 0);
  unended.shape_version = 4;
  note(unended);
  note(GenerationAbandoned{.flow = kFlow,
                           .table = kTable,
                           .generation = Generation(2),
                           .successor = Generation(3),
                           .why = "the view is gone"});
  shape(5);
  read(3, 4);
  EXPECT_EQ(kept(), (std::vector<int32_t>{4, 5})) << "a reader may still be at the first";
  read(4, 5);
  EXPECT_EQ(kept(), (std::vector<int32_t>{5}));
  const FlowId other("other");
  read(1, 5, other);
  EXPECT_EQ(kept(), (std::vector<int32_t>{}));
  shape(6);
  read(5, 6);
  read(6, 6);
  EXPECT_EQ(kept(), (std::vector<int32_t>{6})) << "the other has not read it";
  read(2, 6, other);
  read(3, 6, other);
  EXPECT_EQ(kept(), (std::vector<int32_t>{}));
}

TEST(Manifest, ComesBackFromJsonAsItWas) {
  Manifest manifest = EveryEntry();
  Checkpoint state;
  Advance(manifest, &state);
  Manifest next = EveryEntry();
  next.number = SegmentNumber(2);
  next.checkpoint = state;

  auto read = FromJson(ToJson(next));
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(ToJson(*read), ToJson(next));
  ASSERT_TRUE(read->checkpoint.has_value());
  const TableState& table = read->checkpoint->tables.at(kTable);
  ASSERT_TRUE(table.shape.has_value());
  EXPECT_TRUE(table.shape->SameColumns(EveryType()));
  EXPECT_EQ(table.shape->version, 3);
  EXPECT_EQ(table.shape->name, EveryType().name);
  EXPECT_EQ(table.generations.at(kFlow).chunks_done, (std::set<int64_t>{1}));
  EXPECT_EQ(table.generations.at(kFlow).successor, Generation(5));
  EXPECT_EQ(table.generations.at(kFlow).abandoned_in, SegmentNumber(1));
  EXPECT_EQ(table.generations.at(kFlow).begun.rest_from, SegmentNumber(1));
  EXPECT_EQ(table.generations.at(kFlow).begun.chunks, 4);
  EXPECT_EQ(table.partitions, (std::set<std::string>{"7@2", "8@1/9@3"}));
  EXPECT_EQ(table.memo, "{\"swept\":[1,2]}");
  EXPECT_EQ(table.imprint,
            (record::Imprint{
                .readings = {{"1", "25"}}, .columns = {{"1", "700"}}, .files = {{"7", "9"}}}));
  EXPECT_EQ(table.broken->error_class, "KEY_CHANGED");
  const auto& run = std::get<ChangeRun>(read->entries[2]);
  EXPECT_EQ(run.last, Sequence::Of(1, 9, 6));
  EXPECT_TRUE(run.has_missing);
  EXPECT_EQ(std::get<TableEnded>(read->entries[3]).kind, record::TableEnd::Kind::kTruncated);
}

TEST(Manifest, RefusesWhatItCannotRead) {
  std::string good = ToJson(EveryEntry());
  EXPECT_TRUE(FromJson("").status().Is(ErrorClass::STAGING_CORRUPT));
  EXPECT_TRUE(FromJson(good.substr(0, good.size() / 2)).status().Is(ErrorClass::STAGING_CORRUPT));
  auto replaced = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    EXPECT_TRUE(FromJson(text).status().Is(ErrorClass::STAGING_CORRUPT)) << "by its checksum";
    text.resize(text.rfind(",\"crc32c\""));
    text += fmt::format(R"(,"crc32c":"{:08x}"}})", Crc32c(text));
    Status status = FromJson(text).status();
    EXPECT_EQ(status.message().find("not what was written"), std::string::npos)
        << "with a right one";
    return status;
  };
  EXPECT_TRUE(replaced("\"format\":1", "\"format\":2").Is(ErrorClass::STAGING_CORRUPT));
  EXPECT_TRUE(replaced("change_run", "change_ran").Is(ErrorClass::STAGING_CORRUPT));
  EXPECT_TRUE(replaced("\"pack\":0", "\"pack\":1").Is(ErrorClass::STAGING_CORRUPT));
  EXPECT_TRUE(replaced("decimal(38,9)", "decimal(39,9)").Is(ErrorClass::STAGING_CORRUPT));
  EXPECT_TRUE(replaced("\"key\":[0]", "\"key\":[99]").Is(ErrorClass::STAGING_CORRUPT));
}

TEST(Advance, KeepsTheNewestGenerationAndItsChunks) {
  Checkpoint state;
  Manifest manifest;
  manifest.number = SegmentNumber(1);
  manifest.entries = {Begun(1, 3), Done(1, 0, 10), Done(1, 2, 7)};
  Advance(manifest, &state);
  const GenerationState& first = state.tables.at(kTable).generations.at(kFlow);
  EXPECT_EQ(first.chunks_done, (std::set<int64_t>{0, 2}));
  EXPECT_EQ(first.rows, 17);
  EXPECT_EQ(first.values_nulled, 2);
  EXPECT_EQ(first.begun.view, "view-1");
  EXPECT_EQ(first.begun.plan.size(), 3U);
  EXPECT_FALSE(first.ended);

  manifest.number = SegmentNumber(2);
  manifest.entries = {GenerationAbandoned{.flow = kFlow,
                                          .table = kTable,
                                          .generation = Generation(1),
                                          .successor = Generation(2),
                                          .why = "stale"},
                      Begun(2, 1), Done(1, 1, 100), Done(2, 0, 3)};
  Advance(manifest, &state);
  const GenerationState& second = state.tables.at(kTable).generations.at(kFlow);
  EXPECT_EQ(second.begun.generation, Generation(2));
  EXPECT_EQ(second.rows, 3) << "a chunk of an older generation does not count";
  EXPECT_FALSE(second.successor.has_value());
  EXPECT_EQ(second.begun.view, "view-1");

  manifest.number = SegmentNumber(3);
  manifest.entries = {
      GenerationEnded{.flow = kFlow, .table = kTable, .generation = Generation(2), .rows = 3}};
  Advance(manifest, &state);
  EXPECT_TRUE(second.begun.view.empty() && second.begun.plan.empty())
      << "nobody reads on, so no checkpoint carries it";
  EXPECT_EQ(state.tables.at(kTable).last_segment, SegmentNumber(3));
  EXPECT_EQ(state.through, SegmentNumber(3));
}

TEST(Advance, AMemoTouchesNoRow) {
  Checkpoint state;
  Manifest manifest;
  manifest.number = SegmentNumber(1);
  manifest.entries = {ShapeNoted{.shape = EveryType(), .at = {}}};
  Advance(manifest, &state);
  EXPECT_EQ(state.tables.at(kTable).memo, "") << "as in a staging that knows of none";
  manifest.number = SegmentNumber(2);
  manifest.entries = {MemoNoted{.table = kTable, .memo = "seen"}};
  Advance(manifest, &state);
  EXPECT_EQ(state.tables.at(kTable).memo, "seen");
  EXPECT_EQ(state.tables.at(kTable).last_segment, SegmentNumber(1))
      << "whoever reads the table's rows has nothing to do";
  EXPECT_TRUE(TablesOf(manifest).empty());
}

TEST(Advance, ABrokenTableIsWholeAgainWhenItIsReadAnew) {
  Checkpoint state;
  Manifest manifest;
  manifest.number = SegmentNumber(1);
  manifest.entries = {
      TableBroken{.table = kTable, .error_class = "KEY_CHANGED", .message = "", .remedy = ""}};
  Advance(manifest, &state);
  EXPECT_TRUE(state.tables.at(kTable).broken.has_value());
  manifest.number = SegmentNumber(2);
  manifest.entries = {Begun(2, 1)};
  Advance(manifest, &state);
  EXPECT_FALSE(state.tables.at(kTable).broken.has_value());
}

TEST(ManifestPath, LiesInTheFolderOfItsThousand) {
  EXPECT_EQ(ManifestPath(SegmentNumber(1)), "segments/000000000000/000000000001.json");
  EXPECT_EQ(ManifestPath(SegmentNumber(999)), "segments/000000000000/000000000999.json");
  EXPECT_EQ(ManifestPath(SegmentNumber(1000)), "segments/000000000001/000000001000.json");
}

}  // namespace
}  // namespace freshet::staging
