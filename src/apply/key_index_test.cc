// SPDX-License-Identifier: Apache-2.0
#include "apply/key_index.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "apply/entry_runs.h"
#include "base/limits.h"
#include "base/random.h"

namespace freshet::apply {
namespace {

namespace fs = std::filesystem;

class KeyIndexTest : public ::testing::Test {
 protected:
  void SetUp() override { directory_ = fs::temp_directory_path() / ("freshet-" + RandomHex(8)); }
  void TearDown() override { fs::remove_all(directory_); }
  std::unique_ptr<KeyIndex> Open() { return KeyIndex::Open(directory_.string()).value(); }

  int64_t Files() const {
    int64_t files = 0;
    for (const auto& entry : fs::directory_iterator(directory_))
      files += entry.path().extension() == ".sst" ? 1 : 0;
    return files;
  }

  fs::path directory_;
  const record::FlowId flow_{"orders"}, other_{"orders2"};
};

std::vector<IndexEntry> Entries(size_t count, uint64_t file) {
  std::mt19937_64 random(7);
  std::vector<IndexEntry> entries;
  for (size_t i = 0; i < count; ++i) {
    entries.push_back({{random(), i}, {file, static_cast<uint32_t>(i)}});
  }
  return entries;
}

TEST_F(KeyIndexTest, AnEmptyIndexKnowsNothing) {
  auto index = Open();
  EXPECT_FALSE(index->Version(flow_).value().has_value());
  KeyHash key{1, 2};
  auto found = index->Find(flow_, false, {&key, 1}).value();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].empty());
}

TEST_F(KeyIndexTest, TheNewestAddressOfAKeyWins) {
  auto index = Open();
  KeyHash key{1, 2};
  ASSERT_TRUE(index->Ingest(flow_, false, {{key, {10, 1}}, {key, {11, 2}}}, {3, "l"}).ok());
  EXPECT_EQ(index->Find(flow_, false, {&key, 1}).value()[0], (std::vector<RowAddress>{{11, 2}}));
  ASSERT_TRUE(index->Ingest(flow_, false, {{key, {9, 3}}}, {4, "l"}).ok());
  EXPECT_EQ(index->Find(flow_, false, {&key, 1}).value()[0], (std::vector<RowAddress>{{9, 3}}));
  EXPECT_EQ(index->Version(flow_).value(), (KeyIndex::Mark{4, "l"}));
  EXPECT_TRUE(index->Find(other_, false, {&key, 1}).value()[0].empty());
}

TEST_F(KeyIndexTest, AKeylessFlowKeepsEveryAddress) {
  auto index = Open();
  KeyHash key{1, 2}, next{1, 3};
  ASSERT_TRUE(index->Ingest(flow_, true, {{key, {10, 5}}, {next, {10, 6}}}, {1, ""}).ok());
  ASSERT_TRUE(index->Ingest(flow_, true, {{key, {10, 4}}, {key, {10, 5}}}, {2, ""}).ok());
  EXPECT_EQ(index->Find(flow_, true, {&key, 1}).value()[0],
            (std::vector<RowAddress>{{10, 4}, {10, 5}}));
  std::vector<IndexEntry> dead = {{key, {10, 5}}, {key, {99, 1}}};
  ASSERT_TRUE(index->Forget(flow_, dead).ok());
  EXPECT_EQ(index->Find(flow_, true, {&key, 1}).value()[0], (std::vector<RowAddress>{{10, 4}}));
  EXPECT_EQ(index->Find(flow_, true, {&next, 1}).value()[0], (std::vector<RowAddress>{{10, 6}}));
  EXPECT_EQ(index->Version(flow_).value(), (KeyIndex::Mark{2, ""}));
}

TEST_F(KeyIndexTest, AFileIsIngestedWithItsMarkAndSurvivesACrash) {
  auto entries = Entries(limits::kIndexIngestEntriesMin, 77);
  auto crashed = Open();
  KeyHash flushed{5, 5}, lost{5, 6};
  ASSERT_TRUE(crashed->Ingest(flow_, false, {{flushed, {1, 1}}}, {1, "l"}).ok());
  ASSERT_TRUE(crashed->Ingest(flow_, false, entries, {2, "l"}).ok());
  ASSERT_TRUE(crashed->Ingest(flow_, false, {{lost, {1, 1}}}, {3, "l"}).ok());
  // What is on disk before it closes is what a crash leaves.
  fs::path copy = directory_.string() + "-copy";
  fs::copy(directory_, copy, fs::copy_options::recursive);
  auto index = KeyIndex::Open(copy.string()).value();
  EXPECT_EQ(index->Find(flow_, false, {&flushed, 1}).value()[0].size(), 1u);
  EXPECT_TRUE(index->Find(flow_, false, {&lost, 1}).value()[0].empty());
  EXPECT_EQ(index->Version(flow_).value(), (KeyIndex::Mark{2, "l"}));
  std::vector<KeyHash> keys;
  for (const auto& entry : entries) keys.push_back(entry.key);
  auto found = index->Find(flow_, false, keys).value();
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(found[i], (std::vector<RowAddress>{entries[i].address}));
  }
  index.reset();
  fs::remove_all(copy);
}

TEST_F(KeyIndexTest, TheNewestAddressOfAKeyWinsInALargeFileToo) {
  auto entries = Entries(limits::kIndexIngestEntriesMin, 1);
  auto newer = Entries(limits::kIndexIngestEntriesMin, 2);
  entries.insert(entries.end(), newer.begin(), newer.end());
  auto index = Open();
  ASSERT_TRUE(index->Ingest(flow_, false, entries, {1, "l"}).ok());
  std::vector<KeyHash> keys;
  for (const auto& entry : newer) keys.push_back(entry.key);
  auto found = index->Find(flow_, false, keys).value();
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(found[i], (std::vector<RowAddress>{newer[i].address}));
  }
}

/// Files of like size are merged once there are six, and a run that ends loses what it merged: one
/// that were many would cost each run a part of a merge of all.
TEST_F(KeyIndexTest, EntriesThatAreAddedByPiecesBecomeOneFile) {
  constexpr size_t kPieces = 7;
  EntryRuns runs(fs::temp_directory_path().string(), false);
  auto entries = Entries(kPieces * limits::kIndexIngestEntriesMin, 5);
  for (size_t piece = 0; piece < kPieces; ++piece) {
    auto first =
        entries.begin() + static_cast<std::ptrdiff_t>(piece * limits::kIndexIngestEntriesMin);
    ASSERT_TRUE(runs.Add({first, first + limits::kIndexIngestEntriesMin}).ok());
  }
  auto index = Open();
  ASSERT_TRUE(index->IngestRuns(flow_, &runs, {8, "l"}, {}).ok());
  EXPECT_EQ(Files(), 1);
  EXPECT_EQ(index->Version(flow_).value(), (KeyIndex::Mark{8, "l"}));
  std::vector<KeyHash> keys;
  for (const auto& entry : entries) keys.push_back(entry.key);
  auto found = index->Find(flow_, false, keys).value();
  for (size_t i = 0; i < keys.size(); ++i)
    ASSERT_EQ(found[i], (std::vector<RowAddress>{entries[i].address}));
}

TEST_F(KeyIndexTest, WhatIsStoppedLeavesNothing) {
  EntryRuns runs(fs::temp_directory_path().string(), false);
  ASSERT_TRUE(runs.Add(Entries(10'000, 5)).ok());
  auto index = Open();
  std::stop_source stopped;
  stopped.request_stop();
  auto status = index->IngestRuns(flow_, &runs, {8, "l"}, stopped.get_token());
  EXPECT_TRUE(status.Is(ErrorClass::CANCELLED)) << status.ToString();
  EXPECT_FALSE(index->Version(flow_).value().has_value());
  for (const auto& entry : fs::directory_iterator(directory_))
    EXPECT_FALSE(entry.path().filename().string().starts_with("ingest-")) << entry.path();
}

/// Each run adds two files and ends at once, which cancels the merge it began.
TEST_F(KeyIndexTest, FilesStayFewHoweverShortTheRuns) {
  constexpr uint64_t kRuns = 15;
  for (uint64_t run = 1; run <= kRuns; ++run) {
    auto index = Open();
    for (uint64_t file : {2 * run, 2 * run + 1}) {
      auto version = static_cast<int64_t>(file);
      auto entries = Entries(limits::kIndexIngestEntriesMin, file);
      ASSERT_TRUE(index->Ingest(flow_, false, std::move(entries), {version, "l"}).ok());
    }
  }
  EXPECT_LT(Files(), 20);
  auto expected = Entries(limits::kIndexIngestEntriesMin, 2 * kRuns + 1);
  auto found = Open()->Find(flow_, false, {&expected[5].key, 1}).value();
  EXPECT_EQ(found[0], (std::vector<RowAddress>{expected[5].address}));
}

TEST_F(KeyIndexTest, ResetForgetsOneFlowOnly) {
  auto index = Open();
  KeyHash key{0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF};
  ASSERT_TRUE(index->Ingest(flow_, false, {{key, {10, 1}}}, {3, "l"}).ok());
  ASSERT_TRUE(index->Ingest(other_, false, {{key, {10, 2}}}, {5, "l"}).ok());
  ASSERT_TRUE(index->Reset(flow_).ok());
  EXPECT_FALSE(index->Version(flow_).value().has_value());
  EXPECT_TRUE(index->Find(flow_, false, {&key, 1}).value()[0].empty());
  EXPECT_EQ(index->Version(other_).value()->version, 5);
  EXPECT_EQ(index->Find(other_, false, {&key, 1}).value()[0].size(), 1u);
}

TEST_F(KeyIndexTest, ADamagedIndexIsMadeAnew) {
  {
    auto index = Open();
    ASSERT_TRUE(index->Ingest(flow_, false, Entries(10000, 1), {3, "l"}).ok());
  }
  std::ofstream(directory_ / "CURRENT", std::ios::trunc) << "nonsense";
  auto index = Open();
  auto version = index->Version(flow_);
  ASSERT_TRUE(version.ok()) << version.status().ToString();
  EXPECT_FALSE(version->has_value());
  EXPECT_TRUE(index->Ingest(flow_, false, Entries(10, 1), {4, "l"}).ok());
}

}  // namespace
}  // namespace freshet::apply
