// SPDX-License-Identifier: Apache-2.0
#include "apply/entry_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

namespace freshet::apply {
namespace {

using testing::ElementsAre;

class EntryRunsTest : public ::testing::Test {
 protected:
  static std::vector<RowAddress> Addresses(EntryRuns* runs) {
    std::vector<RowAddress> addresses;
    for (auto entry = runs->Next().value(); entry; entry = runs->Next().value())
      addresses.push_back(entry->address);
    return addresses;
  }

  const std::string folder_ = std::filesystem::temp_directory_path().string();
  const KeyHash one_{1, 1}, two_{2, 0}, three_{3, 0};
};

TEST_F(EntryRunsTest, NothingIsNothing) {
  EntryRuns runs(folder_, false);
  ASSERT_TRUE(runs.Add({}).ok());
  EXPECT_TRUE(runs.empty());
  EXPECT_TRUE(Addresses(&runs).empty());
}

TEST_F(EntryRunsTest, OfAKeyTheAddressThatWasAddedLastIsKept) {
  EntryRuns runs(folder_, false);
  ASSERT_TRUE(runs.Add({{three_, {9, 9}}, {one_, {7, 1}}, {two_, {5, 5}}, {one_, {8, 2}}}).ok());
  ASSERT_TRUE(runs.Add({{two_, {1, 6}}}).ok());
  EXPECT_THAT(Addresses(&runs), ElementsAre(RowAddress{8, 2}, RowAddress{1, 6}, RowAddress{9, 9}));
}

TEST_F(EntryRunsTest, AKeylessFlowKeepsEveryAddressOnce) {
  EntryRuns runs(folder_, true);
  ASSERT_TRUE(runs.Add({{two_, {5, 5}}, {one_, {8, 2}}, {one_, {7, 1}}}).ok());
  ASSERT_TRUE(runs.Add({{two_, {1, 6}}, {two_, {5, 5}}}).ok());
  EXPECT_THAT(Addresses(&runs),
              ElementsAre(RowAddress{7, 1}, RowAddress{8, 2}, RowAddress{1, 6}, RowAddress{5, 5}));
}

TEST_F(EntryRunsTest, RunsOfEverySizeComeInOrder) {
  std::mt19937_64 random(11);
  EntryRuns runs(folder_, false);
  std::vector<KeyHash> keys;
  for (size_t size : {1, 2048, 2049, 20'000, 3}) {
    std::vector<IndexEntry> entries;
    for (size_t i = 0; i < size; ++i) {
      keys.push_back({random(), random()});
      entries.push_back({keys.back(), {size, static_cast<uint32_t>(i)}});
    }
    ASSERT_TRUE(runs.Add(std::move(entries)).ok());
  }
  std::sort(keys.begin(), keys.end());
  for (const auto& key : keys) {
    auto entry = runs.Next();
    ASSERT_TRUE(entry.ok() && *entry) << entry.status().ToString();
    ASSERT_EQ((*entry)->key, key);
  }
  EXPECT_FALSE(runs.Next().value().has_value());
}

}  // namespace
}  // namespace freshet::apply
