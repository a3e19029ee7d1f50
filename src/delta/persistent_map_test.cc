// SPDX-License-Identifier: Apache-2.0
#include "delta/persistent_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace freshet::delta {
namespace {

std::map<std::string, int> Plain(const PersistentMap<int>& map) { return {map.begin(), map.end()}; }

TEST(PersistentMap, IsAMapWhoseCopiesStayAsTheyWere) {
  std::mt19937_64 random(1);
  PersistentMap<int> map;
  std::map<std::string, int> wanted;
  std::vector<std::pair<PersistentMap<int>, std::map<std::string, int>>> copies;
  for (int step = 0; step < 20'000; ++step) {
    std::string key = std::to_string(random() % 700);
    if (random() % 3 == 0) {
      ASSERT_EQ(map.erase(key), wanted.erase(key));
    } else {
      map.insert_or_assign(key, step);
      wanted.insert_or_assign(key, step);
    }
    ASSERT_EQ(map.size(), wanted.size());
    if (step % 1000 == 0) copies.emplace_back(map, wanted);
    auto found = map.find(key);
    ASSERT_EQ(found != map.end(), wanted.contains(key));
    if (found == map.end()) continue;
    EXPECT_EQ(found->second, wanted.at(key));
    auto next = wanted.upper_bound(key);
    ASSERT_EQ(++found == map.end(), next == wanted.end()) << "a found place leads on";
    if (next == wanted.end()) continue;
    EXPECT_EQ(found->first, next->first);
  }
  EXPECT_EQ(Plain(map), wanted);
  EXPECT_EQ(map.back().first, wanted.rbegin()->first);
  for (const auto& [copy, then] : copies) EXPECT_EQ(Plain(copy), then);
}

TEST(PersistentMap, EqualMapsAreEqualWhateverTheirHistory) {
  PersistentMap<int> a, b;
  EXPECT_EQ(a, b);
  for (int i = 0; i < 100; ++i) a.insert_or_assign(std::to_string(i), i);
  for (int i = 120; i-- > 0;) b.insert_or_assign(std::to_string(i), i);
  EXPECT_FALSE(a == b);
  for (int i = 100; i < 120; ++i) EXPECT_EQ(b.erase(std::to_string(i)), 1u);
  EXPECT_EQ(a, b);
  b.insert_or_assign("7", 8);
  EXPECT_FALSE(a == b);
  EXPECT_EQ(a.at("7"), 7);
  EXPECT_FALSE(a.contains("x"));
}

}  // namespace
}  // namespace freshet::delta
