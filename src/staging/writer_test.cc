// SPDX-License-Identifier: Apache-2.0
#include "staging/writer.h"

#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "fakes/fake_clock.h"
#include "fakes/rows.h"
#include "staging/layout.h"
#include "staging/reader.h"
#include "staging/wishes.h"
#include "store/memory_store.h"

namespace freshet::staging {
namespace {

using fakes::ChangeRow;
using fakes::Row;
using fakes::Unsent;
using record::Op;

std::shared_ptr<const record::TableShape> Shape(const std::string& id, int version = 1) {
  auto shape =
      fakes::MakeShape(id, "public", "t" + id, {{"id", arrow::int64()}, {"note", arrow::utf8()}});
  shape.version = version;
  return std::make_shared<record::TableShape>(std::move(shape));
}

ChangeRow Change(Op op, int64_t id, fakes::Value note, uint64_t position) {
  return {.op = op,
          .row = {id, std::move(note)},
          .sequence = Sequence::Of(1, position, 1),
          .committed_at = static_cast<UtcMicros>(position)};
}

record::ChangeBatch Batch(const std::shared_ptr<const record::TableShape>& shape,
                          const std::vector<ChangeRow>& rows) {
  return {.shape = shape, .rows = fakes::MakeChanges(*shape, rows)};
}

/// A store whose Put can be answered by a script instead.
class ScriptedStore final : public store::FileStore {
 public:
  using Script =
      std::function<Status(store::FileStore& real, std::string_view path,
                           std::span<const std::string_view> pieces, store::If condition)>;
  explicit ScriptedStore(std::shared_ptr<store::FileStore> real) : real_(std::move(real)) {}
  Script on_put;

  using FileStore::Put;
  Status Put(std::string_view path, std::span<const std::string_view> pieces,
             store::If condition) override {
    return on_put ? on_put(*real_, path, pieces, condition) : real_->Put(path, pieces, condition);
  }
  Result<std::shared_ptr<const std::string>> Get(std::string_view path, int64_t offset,
                                                 int64_t length) override {
    return real_->Get(path, offset, length);
  }
  Result<store::FileInfo> Stat(std::string_view path) override { return real_->Stat(path); }
  Result<std::vector<store::FileInfo>> List(std::string_view folder, std::string_view after,
                                            int limit, bool recursive) override {
    return real_->List(folder, after, limit, recursive);
  }
  Status Copy(std::string_view from, std::string_view to) override { return real_->Copy(from, to); }
  Status Remove(std::string_view path) override { return real_->Remove(path); }

 private:
  std::shared_ptr<store::FileStore> real_;
};

class WriterTest : public ::testing::Test {
 protected:
  std::unique_ptr<StagingWriter> OpenWriter() {
    auto writer = StagingWriter::Open(scripted_, &clock_);
    EXPECT_TRUE(writer.ok()) << writer.status().ToString();
    return std::move(*writer);
  }
  std::unique_ptr<StagingReader> OpenReader() {
    auto reader = StagingReader::Open(store_);
    EXPECT_TRUE(reader.ok()) << reader.status().ToString();
    return std::move(*reader);
  }
  static void Seal(StagingWriter& writer, const std::string& cursor) {
    auto sealed = writer.Seal({cursor}, 0);
    ASSERT_TRUE(sealed.ok()) << sealed.status().ToString();
  }
  std::vector<std::string> Paths(std::string_view folder) {
    std::vector<std::string> paths;
    auto files = store_->List(folder, "", 1'000'000, true);
    for (const auto& file : *files) paths.push_back(file.path);
    return paths;
  }

  fakes::FakeClock clock_;
  std::shared_ptr<store::FileStore> store_ = store::MakeMemoryStore(&clock_);
  std::shared_ptr<ScriptedStore> scripted_ = std::make_shared<ScriptedStore>(store_);
};

TEST_F(WriterTest, RowsComeBackAsTheyWere) {
  auto writer = OpenWriter();
  auto a = Shape("1");
  auto b = Shape("2");
  writer->Note(ShapeNoted{.shape = *a, .at = {}});
  writer->Note(ShapeNoted{.shape = *b, .at = {}});
  auto first = Batch(a, {Change(Op::kInsert, 1, "x", 10), Change(Op::kUpdate, 1, Unsent{}, 11)});
  auto second = Batch(b, {Change(Op::kDelete, 7, {}, 11)});
  auto third = Batch(a, {Change(Op::kDelete, 1, {}, 12)});
  for (const auto& batch : {first, second, third}) ASSERT_TRUE(writer->Append(batch).ok());
  auto sealed = writer->Seal({"12"}, 12);
  ASSERT_TRUE(sealed.ok()) << sealed.status().ToString();
  EXPECT_EQ(*sealed, SegmentNumber(1));
  EXPECT_FALSE(writer->dirty());

  auto reader = OpenReader();
  EXPECT_EQ(reader->staging_id(), writer->staging_id());
  auto manifests = reader->List(SegmentNumber(0), 10);
  ASSERT_TRUE(manifests.ok() && manifests->size() == 1);
  const Manifest& manifest = *manifests->front();
  EXPECT_EQ(manifest.cursor.text, "12");
  EXPECT_TRUE(manifest.checkpoint.has_value());
  ASSERT_EQ(manifest.packs.size(), 1U);
  ASSERT_EQ(manifest.entries.size(), 4U);

  const auto& run_a = std::get<ChangeRun>(manifest.entries[2]);
  EXPECT_EQ(std::make_tuple(run_a.rows, run_a.inserts, run_a.updates, run_a.deletes),
            std::make_tuple(3, 1, 1, 1));
  EXPECT_EQ(run_a.first, Sequence::Of(1, 10, 1));
  EXPECT_EQ(run_a.last, Sequence::Of(1, 12, 1));
  EXPECT_EQ(run_a.committed_last, 12);
  EXPECT_TRUE(run_a.has_missing);
  auto rows = reader->Read(manifest, run_a);
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  ASSERT_EQ(rows->size(), 1U) << "small batches are joined";
  EXPECT_TRUE((*rows)[0]->Slice(0, 2)->Equals(*first.rows));
  EXPECT_TRUE((*rows)[0]->Slice(2)->Equals(*third.rows));
  EXPECT_EQ((*rows)[0]->schema()->field(1)->metadata()->Get("PARQUET:field_id").ValueOrDie(), "2");

  const auto& run_b = std::get<ChangeRun>(manifest.entries[3]);
  EXPECT_FALSE(run_b.has_missing);
  auto rows_b = reader->Read(manifest, run_b);
  ASSERT_TRUE(rows_b.ok());
  EXPECT_TRUE((*rows_b)[0]->Equals(*second.rows));
}

TEST_F(WriterTest, WhatIsNotedOfATableStandsAfterItsRows) {
  auto writer = OpenWriter();
  auto before = Shape("1", 1);
  auto after = Shape("1", 2);
  ASSERT_TRUE(writer->Append(Batch(before, {Change(Op::kInsert, 1, "x", 10)})).ok());
  ASSERT_TRUE(writer->Append(Batch(Shape("2"), {Change(Op::kInsert, 1, "x", 10)})).ok());
  writer->Note(ShapeNoted{.shape = *after, .at = Sequence::Of(1, 11, 0)});
  ASSERT_TRUE(writer->Append(Batch(after, {Change(Op::kInsert, 2, "y", 12)})).ok());
  writer->Note(TableEnded{.kind = record::TableEnd::Kind::kTruncated,
                          .table = TableId("1"),
                          .at = Sequence::Of(1, 13, 0),
                          .committed_at = 13});
  Seal(*writer, "13");

  auto manifest = OpenReader()->List(SegmentNumber(0), 1).value().front();
  ASSERT_EQ(manifest->entries.size(), 5U);
  EXPECT_EQ(std::get<ChangeRun>(manifest->entries[0]).shape_version, 1);
  EXPECT_EQ(std::get<ShapeNoted>(manifest->entries[1]).shape.version, 2);
  EXPECT_EQ(std::get<ChangeRun>(manifest->entries[2]).shape_version, 2);
  EXPECT_TRUE(std::holds_alternative<TableEnded>(manifest->entries[3]));
  EXPECT_EQ(std::get<ChangeRun>(manifest->entries[4]).table, TableId("2"));
  EXPECT_EQ(TablesOf(*manifest), (std::set<TableId>{TableId("1"), TableId("2")}));
}

TEST_F(WriterTest, FullPacksArePutAsTheyFill) {
  auto writer = OpenWriter();
  auto shape = Shape("1");
  std::vector<ChangeRow> rows;
  for (int64_t i = 0; i < 64; ++i)
    rows.push_back(
        Change(Op::kInsert, i, std::string(128 * limits::kKiB, 'x'), static_cast<uint64_t>(i)));
  auto batch = Batch(shape, rows);  // 8 MiB
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(writer->Append(batch).ok());
  EXPECT_EQ(Paths("packs").size(), 1U);
  EXPECT_FALSE(writer->SealDue());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(writer->Append(batch).ok());
  EXPECT_TRUE(writer->SealDue()) << "a segment's worth of bytes";
  Seal(*writer, "1");

  auto reader = OpenReader();
  auto manifest = reader->List(SegmentNumber(0), 1).value().front();
  EXPECT_EQ(manifest->packs.size(), 2U);
  int64_t read = 0;
  for (const Entry& entry : manifest->entries) {
    auto batches = reader->Read(*manifest, std::get<ChangeRun>(entry));
    ASSERT_TRUE(batches.ok());
    for (const auto& each : *batches) read += each->num_rows();
  }
  EXPECT_EQ(read, 8 * 64);
}

TEST_F(WriterTest, ASealIsDueByAge) {
  auto writer = OpenWriter();
  EXPECT_FALSE(writer->SealDue());
  ASSERT_TRUE(writer->Append(Batch(Shape("1"), {Change(Op::kInsert, 1, "x", 10)})).ok());
  EXPECT_FALSE(writer->SealDue());
  clock_.Advance(limits::kCommitDelayMax);
  EXPECT_TRUE(writer->SealDue());
  Seal(*writer, "10");
  EXPECT_FALSE(writer->SealDue());
}

TEST_F(WriterTest, OpeningAgainFindsTheStateOfAllSegments) {
  const int64_t segments = limits::kManifestsPerFolder + 5;
  {
    auto writer = OpenWriter();
    writer->Note(ShapeNoted{.shape = *Shape("1"), .at = {}});
    for (int64_t i = 1; i <= segments; ++i) Seal(*writer, std::to_string(i));
  }
  auto writer = OpenWriter();
  EXPECT_EQ(writer->next(), SegmentNumber(segments + 1));
  EXPECT_EQ(writer->checkpoint().cursor.text, std::to_string(segments));
  EXPECT_TRUE(writer->checkpoint().tables.at(TableId("1")).shape->SameColumns(*Shape("1")));

  auto reader = OpenReader();
  auto latest = reader->Latest();
  ASSERT_TRUE(latest.ok());
  EXPECT_EQ((*latest)->through, SegmentNumber(segments));
  EXPECT_EQ(reader->Latest().value(), *latest) << "nothing new: the same object, no copy";
  Seal(*writer, "more");
  EXPECT_EQ(reader->Latest().value()->cursor.text, "more");
  EXPECT_EQ(reader->List(SegmentNumber(segments - 1), 10).value().size(), 2U);
  EXPECT_TRUE(reader->List(SegmentNumber(segments + 1), 10).value().empty());
}

TEST_F(WriterTest, TheSecondGatewayIsFenced) {
  auto zombie = OpenWriter();
  auto heir = OpenWriter();
  ASSERT_TRUE(zombie->Append(Batch(Shape("1"), {Change(Op::kInsert, 1, "old", 10)})).ok());
  Seal(*heir, "heir");
  auto lost = zombie->Seal({"zombie"}, 0);
  EXPECT_TRUE(lost.status().Is(ErrorClass::STAGING_FENCED));
  EXPECT_TRUE(zombie->Seal({"again"}, 0).status().Is(ErrorClass::STAGING_FENCED))
      << "it stays fenced";
  EXPECT_EQ(OpenReader()->Latest().value()->cursor.text, "heir");
}

TEST_F(WriterTest, AnUnknownOutcomeThatSucceededIsASuccess) {
  auto writer = OpenWriter();
  std::set<std::string, std::less<>> lost;
  scripted_->on_put = [&](store::FileStore& real, std::string_view path, auto pieces,
                          store::If condition) {
    Status done = real.Put(path, pieces, condition);
    if (!done.ok() || !lost.emplace(path).second) return done;
    return Error(ErrorClass::STORE_UNAVAILABLE, "the reply was lost").OutcomeUnknown();
  };
  ASSERT_TRUE(writer->Append(Batch(Shape("1"), {Change(Op::kInsert, 1, "x", 10)})).ok());
  Seal(*writer, "10");
  Seal(*writer, "11");
  auto latest = OpenReader()->Latest();
  EXPECT_EQ((*latest)->through, SegmentNumber(2));
}

TEST_F(WriterTest, AnUnknownOutcomeThatFailedIsPutAgain) {
  auto writer = OpenWriter();
  int lost = 1;
  scripted_->on_put = [&](store::FileStore& real, std::string_view path, auto pieces,
                          store::If condition) {
    if (lost-- > 0)
      return Error(ErrorClass::STORE_UNAVAILABLE, "the request was lost").OutcomeUnknown();
    return real.Put(path, pieces, condition);
  };
  Seal(*writer, "10");
  EXPECT_EQ(OpenReader()->Latest().value()->cursor.text, "10");
}

TEST_F(WriterTest, WhatIsSeenButNotKnownToBeDurableIsNotSealed) {
  auto writer = OpenWriter();
  // A local store whose folder cannot be synced: the name is there, and may go with the power.
  scripted_->on_put = [](store::FileStore& real, std::string_view path, auto pieces,
                         store::If condition) {
    (void)real.Put(path, pieces, condition);
    return Error(ErrorClass::STORE_UNAVAILABLE, "cannot sync the folder").OutcomeUnknown();
  };
  EXPECT_TRUE(writer->Seal({"10"}, 0).status().Is(ErrorClass::STORE_UNAVAILABLE));
  scripted_->on_put = nullptr;
  EXPECT_EQ(OpenWriter()->checkpoint().cursor.text, "10")
      << "opening again reads what became of it";
}

TEST_F(WriterTest, AfterAFailureOnlyOpeningAgainGoesOn) {
  auto writer = OpenWriter();
  scripted_->on_put = [](auto&&...) { return Error(ErrorClass::STORE_FULL, "no space"); };
  EXPECT_TRUE(writer->Seal({"1"}, 0).status().Is(ErrorClass::STORE_FULL));
  scripted_->on_put = nullptr;
  EXPECT_TRUE(writer->Seal({"1"}, 0).status().Is(ErrorClass::STORE_FULL));
  EXPECT_TRUE(writer->Append(Batch(Shape("1"), {Change(Op::kInsert, 1, "x", 10)}))
                  .Is(ErrorClass::STORE_FULL));
  Seal(*OpenWriter(), "1");
}

TEST_F(WriterTest, LeftoversGoWithTheNextWritersFirstSeal) {
  const FlowId flow("f");
  const TableId table("1");
  const Generation generation(1);
  std::string named;
  {
    auto crashed = OpenWriter();
    crashed->Note(GenerationBegun{.flow = flow,
                                  .table = table,
                                  .generation = generation,
                                  .position = {},
                                  .taken_at = 0,
                                  .shape_version = 1,
                                  .first_segment = SegmentNumber(1),
                                  .chunks = 2,
                                  .rows_estimated = 2});
    named = crashed->PartPath(flow, table, generation, 0);
    ASSERT_TRUE(store_->Put(named, "part", store::If::kAbsent).ok());
    crashed->Note(SnapshotPart{.flow = flow,
                               .table = table,
                               .generation = generation,
                               .chunk = 0,
                               .path = named,
                               .rows = 1,
                               .bytes = 4});
    crashed->Note(
        ChunkDone{.flow = flow, .table = table, .generation = generation, .chunk = 0, .rows = 1});
    Seal(*crashed, "1");
    ASSERT_TRUE(
        store_->Put(crashed->PartPath(flow, table, generation, 1), "half", store::If::kAbsent)
            .ok());
    std::vector<ChangeRow> rows(1,
                                Change(Op::kInsert, 1, std::string(limits::kPackBytesMax, 'x'), 5));
    ASSERT_TRUE(crashed->Append(Batch(Shape("1"), rows)).ok());
  }
  ASSERT_EQ(Paths("packs").size(), 1U);
  ASSERT_EQ(Paths("parts").size(), 2U);

  auto writer = OpenWriter();
  EXPECT_EQ(Paths("packs").size(), 1U) << "the former writer may still be alive and seal them";
  std::string own = writer->PartPath(flow, table, generation, 1);
  ASSERT_TRUE(store_->Put(own, "own", store::If::kAbsent).ok());
  ASSERT_TRUE(writer->Append(Batch(Shape("1"), {Change(Op::kInsert, 1, "x", 6)})).ok());
  Seal(*writer, "2");
  EXPECT_EQ(Paths("parts"), (std::vector<std::string>{named, own}.front() < own
                                 ? std::vector<std::string>{named, own}
                                 : std::vector<std::string>{own, named}));
  auto manifest = OpenReader()->List(SegmentNumber(1), 1).value().front();
  EXPECT_EQ(Paths("packs"), manifest->packs);
}

TEST_F(WriterTest, AMissingPackIsExpiredNeverEmpty) {
  auto writer = OpenWriter();
  ASSERT_TRUE(writer->Append(Batch(Shape("1"), {Change(Op::kInsert, 1, "x", 10)})).ok());
  Seal(*writer, "10");
  auto reader = OpenReader();
  auto manifest = reader->List(SegmentNumber(0), 1).value().front();
  ASSERT_TRUE(store_->Remove(manifest->packs.front()).ok());
  EXPECT_TRUE(reader->Read(*manifest, std::get<ChangeRun>(manifest->entries[0]))
                  .status()
                  .Is(ErrorClass::STAGING_EXPIRED));
}

TEST_F(WriterTest, ADamagedPackIsCorrupt) {
  auto writer = OpenWriter();
  ASSERT_TRUE(writer->Append(Batch(Shape("1"), {Change(Op::kInsert, 1, "x", 10)})).ok());
  Seal(*writer, "10");
  auto reader = OpenReader();
  auto manifest = reader->List(SegmentNumber(0), 1).value().front();
  const auto& run = std::get<ChangeRun>(manifest->entries[0]);
  ASSERT_TRUE(store_->Put(manifest->packs.front(), "cut", store::If::kAlways).ok());
  EXPECT_TRUE(reader->Read(*manifest, run).status().Is(ErrorClass::STAGING_CORRUPT));
  ASSERT_TRUE(store_
                  ->Put(manifest->packs.front(),
                        std::string(static_cast<size_t>(run.length), '\x7f'), store::If::kAlways)
                  .ok());
  EXPECT_TRUE(reader->Read(*manifest, run).status().Is(ErrorClass::STAGING_CORRUPT));
}

TEST_F(WriterTest, ASingleWrongBitOfAPackIsNoticed) {
  auto writer = OpenWriter();
  ASSERT_TRUE(writer->Append(Batch(Shape("1"), {Change(Op::kInsert, 77, "value", 10)})).ok());
  Seal(*writer, "10");
  auto reader = OpenReader();
  auto manifest = reader->List(SegmentNumber(0), 1).value().front();
  const auto& run = std::get<ChangeRun>(manifest->entries[0]);
  const std::string whole = *store_->Get(manifest->packs.front(), 0, -1).value();
  for (size_t at = 0; at < whole.size(); at += 7) {
    std::string rotten = whole;
    rotten[at] = static_cast<char>(rotten[at] ^ 4);
    ASSERT_TRUE(store_->Put(manifest->packs.front(), rotten, store::If::kAlways).ok());
    EXPECT_TRUE(reader->Read(*manifest, run).status().Is(ErrorClass::STAGING_CORRUPT)) << at;
  }
}

TEST_F(WriterTest, WithoutAStagingThereIsNothingToRead) {
  EXPECT_TRUE(StagingReader::Open(store_).status().Is(ErrorClass::NOT_FOUND));
  auto writer = OpenWriter();
  EXPECT_EQ(OpenReader()->Latest().value()->through, SegmentNumber(0));
}

TEST_F(WriterTest, WishesAndReadersComeBack) {
  Wish first{.flow = FlowId("f"), .table = TableId("1"), .generation = Generation(9)};
  Wish second{.flow = FlowId("f"), .table = TableId("1"), .generation = Generation(10)};
  Wish other{.flow = FlowId("g"), .table = TableId("1"), .generation = Generation(1)};
  for (const Wish& wish : {first, second, second, other}) ASSERT_TRUE(PutWish(*store_, wish).ok());
  EXPECT_EQ(ListWishes(*store_).value(), (std::vector<Wish>{first, second, other}));
  ASSERT_TRUE(RemoveWish(*store_, first).ok() && RemoveWish(*store_, first).ok());
  EXPECT_EQ(ListWishes(*store_).value(), (std::vector<Wish>{second, other}));

  ReaderRecord record{.pipeline = record::PipelineId("p"),
                      .floor = SegmentNumber(3),
                      .flows_created = {FlowId("f")}};
  ASSERT_TRUE(PutReader(*store_, record).ok());
  record.floor = SegmentNumber(4);
  ASSERT_TRUE(PutReader(*store_, record).ok());
  auto readers = ListReaders(*store_);
  ASSERT_TRUE(readers.ok() && readers->size() == 1);
  EXPECT_EQ(readers->front().floor, SegmentNumber(4));
  EXPECT_EQ(readers->front().flows_created, record.flows_created);
}

}  // namespace
}  // namespace freshet::staging
