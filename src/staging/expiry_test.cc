// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "fakes/fake_clock.h"
#include "fakes/rows.h"
#include "staging/reader.h"
#include "staging/wishes.h"
#include "staging/writer.h"
#include "store/memory_store.h"

namespace freshet::staging {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kFolder = limits::kManifestsPerFolder;

StagingWriter::ExpiryRules Rules(
    std::chrono::microseconds retention,
    std::chrono::microseconds age_max = std::chrono::microseconds::max(),
    int64_t bytes_max = std::numeric_limits<int64_t>::max()) {
  return {.retention = retention, .age_max = age_max, .bytes_max = bytes_max};
}

/// A staging of two whole folders of segments and a bit of a third, each segment with a pack; the
/// first also has a part.
class ExpiryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    writer_ = std::move(StagingWriter::Open(store_, &clock_)).value();
    auto shape = fakes::MakeShape("1", "public", "t", {{"id", arrow::int64()}});
    shape.version = 1;
    auto shared = std::make_shared<record::TableShape>(shape);
    part_ = writer_->PartPath(FlowId("f"), TableId("1"), Generation(1), 0);
    ASSERT_TRUE(store_->Put(part_, "part", store::If::kAbsent).ok());
    writer_->Note(SnapshotPart{.flow = FlowId("f"),
                               .table = TableId("1"),
                               .generation = Generation(1),
                               .chunk = 0,
                               .path = part_,
                               .rows = 1,
                               .bytes = 4});
    for (int64_t i = 1; i <= 2 * kFolder + 3; ++i) {
      auto rows =
          fakes::MakeChanges(shape, {{.op = record::Op::kInsert,
                                      .row = {i},
                                      .sequence = Sequence::Of(1, static_cast<uint64_t>(i), 1),
                                      .committed_at = i}});
      ASSERT_TRUE(writer_->Append({.shape = shared, .rows = rows}).ok());
      ASSERT_TRUE(writer_->Seal({std::to_string(i)}, i).ok());
    }
    clock_.Advance(24h * 31);
  }
  void PutFloor(int64_t floor) {
    ASSERT_TRUE(PutReader(*store_, {.pipeline = record::PipelineId("p"),
                                    .floor = SegmentNumber(floor),
                                    .flows_created = {}})
                    .ok());
  }
  size_t Count(std::string_view folder) {
    return store_->List(folder, "", 1'000'000, true).value().size();
  }
  StagingWriter::Expired Expire(
      const StagingWriter::ExpiryRules& rules = Rules(limits::kStagingRetention)) {
    auto expired = writer_->Expire(rules);
    EXPECT_TRUE(expired.ok()) << expired.status().ToString();
    return *expired;
  }

  fakes::FakeClock clock_;
  std::shared_ptr<store::FileStore> store_ = store::MakeMemoryStore(&clock_);
  std::unique_ptr<StagingWriter> writer_;
  std::string part_;
};

TEST_F(ExpiryTest, NothingGoesThatAReaderStillNeeds) {
  PutFloor(kFolder - 2);
  auto expired = Expire();
  EXPECT_EQ(expired.segments, 0);
  EXPECT_EQ(expired.through, SegmentNumber(0));
  EXPECT_EQ(Count("segments"), static_cast<size_t>(2 * kFolder + 3));
}

TEST_F(ExpiryTest, WholeFoldersGoOnceReadersArePast) {
  PutFloor(kFolder + 7);
  auto expired = Expire();
  EXPECT_EQ(expired.segments, kFolder - 1);
  EXPECT_EQ(expired.through, SegmentNumber(kFolder - 1));
  EXPECT_FALSE(expired.forced);
  EXPECT_EQ(Count("segments"), static_cast<size_t>(kFolder + 4));
  EXPECT_EQ(Count("packs"), static_cast<size_t>(kFolder + 4));
  EXPECT_TRUE(store_->Stat(part_).status().Is(ErrorClass::NOT_FOUND));

  auto reader = std::move(StagingReader::Open(store_)).value();
  EXPECT_TRUE(reader->List(SegmentNumber(0), 10).status().Is(ErrorClass::STAGING_EXPIRED));
  auto rest = reader->List(SegmentNumber(kFolder - 1), 1);
  ASSERT_TRUE(rest.ok());
  ASSERT_TRUE(rest->front()->checkpoint.has_value());
  EXPECT_EQ(rest->front()->checkpoint->through, SegmentNumber(kFolder - 1));
}

TEST_F(ExpiryTest, PartsThatNoSegmentNamesGoWithThoseThatCould) {
  auto put = [&](int64_t generation) {
    std::string path = writer_->PartPath(FlowId("f"), TableId("1"), Generation(generation), 1);
    EXPECT_TRUE(store_->Put(path, "never named", store::If::kAbsent).ok());
    return path;
  };
  auto begin = [&](int64_t generation) {
    writer_->Note(GenerationBegun{.flow = FlowId("f"),
                                  .table = TableId("1"),
                                  .generation = Generation(generation),
                                  .position = {},
                                  .first_segment = SegmentNumber(1)});
  };
  const auto former = put(1), between = put(2), kept = put(3), newest = put(4);
  begin(3);
  for (int64_t i = 0; i < kFolder; ++i) ASSERT_TRUE(writer_->Seal({"x"}, i).ok());
  begin(4);
  ASSERT_TRUE(writer_->Seal({"y"}, 1).ok());
  clock_.Advance(24h * 31);
  // The oldest that stays names the third as the newest.
  PutFloor(3 * kFolder + 1);
  EXPECT_EQ(Expire().through, SegmentNumber(3 * kFolder - 1));
  EXPECT_TRUE(store_->Stat(former).status().Is(ErrorClass::NOT_FOUND));
  EXPECT_TRUE(store_->Stat(between).status().Is(ErrorClass::NOT_FOUND));
  EXPECT_TRUE(store_->Stat(kept).ok());
  EXPECT_TRUE(store_->Stat(newest).ok());
}

TEST_F(ExpiryTest, WhatIsAboutToBeNeededStays) {
  PutFloor(3 * kFolder);
  auto rules = Rules(limits::kStagingRetention);
  rules.keep_from = SegmentNumber(kFolder - 1);
  EXPECT_EQ(Expire(rules).segments, 0);
  rules.keep_from = SegmentNumber(kFolder);
  EXPECT_EQ(Expire(rules).through, SegmentNumber(kFolder - 1));
}

TEST_F(ExpiryTest, YoungSegmentsStay) {
  PutFloor(3 * kFolder);
  EXPECT_EQ(Expire(Rules(24h * 32)).segments, 0);
}

TEST_F(ExpiryTest, TheNewestFullCheckpointAlwaysStays) {
  PutFloor(3 * kFolder);
  EXPECT_EQ(Expire().through, SegmentNumber(2 * kFolder - 1));
  auto again = Expire();
  EXPECT_EQ(again.segments, 0);
  EXPECT_EQ(again.through, SegmentNumber(2 * kFolder - 1));
  auto reopened = std::move(StagingWriter::Open(store_, &clock_)).value();
  EXPECT_EQ(reopened->checkpoint().cursor.text, std::to_string(2 * kFolder + 3));
}

TEST_F(ExpiryTest, TheHardLimitByAgeGoesPastFloors) {
  PutFloor(5);
  auto expired = Expire(Rules(limits::kStagingRetention, 24h * 30));
  EXPECT_EQ(expired.through, SegmentNumber(2 * kFolder - 1));
  EXPECT_TRUE(expired.forced);
}

TEST_F(ExpiryTest, TheHardLimitByBytesStopsWhenBelow) {
  PutFloor(5);
  int64_t bytes = 0;
  auto packs = store_->List("packs", "", 1'000'000, true);
  for (const auto& file : *packs) bytes += file.bytes;
  auto expired =
      Expire(Rules(limits::kStagingRetention, std::chrono::microseconds::max(), bytes * 3 / 4));
  EXPECT_EQ(expired.through, SegmentNumber(kFolder - 1));
  EXPECT_TRUE(expired.forced);
}

TEST_F(ExpiryTest, AGapThatDoesNotTouchATableIsPassed) {
  auto quiet = fakes::MakeShape("2", "public", "quiet", {{"id", arrow::int64()}});
  quiet.version = 1;
  writer_->Note(ShapeNoted{.shape = quiet, .at = {}});
  ASSERT_TRUE(writer_->Seal({"x"}, 1).ok());
  Expire(Rules(limits::kStagingRetention, 24h * 30));
  auto reader = std::move(StagingReader::Open(store_)).value();
  EXPECT_TRUE(reader->List(SegmentNumber(5), 10).status().Is(ErrorClass::STAGING_EXPIRED));
  SegmentNumber before_full(2 * kFolder - 1);
  EXPECT_EQ(reader->PastGap(TableId("2"), SegmentNumber(5)).value(), before_full);
  EXPECT_TRUE(
      reader->PastGap(TableId("1"), SegmentNumber(5)).status().Is(ErrorClass::STAGING_EXPIRED));
  EXPECT_EQ(reader->PastGap(TableId("1"), before_full).value(), before_full);
  EXPECT_TRUE(reader->PastGap(TableId("2"), SegmentNumber(2 * kFolder + 1))
                  .status()
                  .Is(ErrorClass::STAGING_EXPIRED))
      << "no full manifest beyond";
}

TEST_F(ExpiryTest, AFolderThatWentInPartIsAGapToo) {
  for (int64_t number = 1; number <= 3; ++number)
    ASSERT_TRUE(store_->Remove(ManifestPath(SegmentNumber(number))).ok());
  auto reader = std::move(StagingReader::Open(store_)).value();
  EXPECT_TRUE(reader->List(SegmentNumber(0), 10).status().Is(ErrorClass::STAGING_EXPIRED));
  EXPECT_EQ(reader->PastGap(TableId("2"), SegmentNumber(0)).value(), SegmentNumber(kFolder - 1));
  ASSERT_TRUE(store_->Remove(ManifestPath(SegmentNumber(kFolder + 7))).ok());
  EXPECT_TRUE(reader->List(SegmentNumber(kFolder + 6), 10).status().Is(ErrorClass::STAGING_EXPIRED))
      << "one that is missing in the middle is never the end";
}

TEST_F(ExpiryTest, WithoutReadersOnlyTimeCounts) { EXPECT_EQ(Expire().segments, 2 * kFolder - 1); }

}  // namespace
}  // namespace freshet::staging
