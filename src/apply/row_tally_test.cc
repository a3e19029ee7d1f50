// SPDX-License-Identifier: Apache-2.0
#include "apply/row_tally.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <filesystem>
#include <map>

#include "base/random.h"

namespace freshet::apply {
namespace {

namespace fs = std::filesystem;

/// A row of few keys and few contents, so that many are equal.
struct Small {
  int key = 0, content = 0;
  auto operator<=>(const Small&) const = default;
};

class RowTallyTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("freshet-tally-" + RandomHex(6));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  static KeyHash Hash(int number) {
    return {static_cast<uint64_t>(number) * 0x9E3779B97F4A7C15, static_cast<uint64_t>(number)};
  }
  static RowTally::Row RowOf(const Small& row, RowTally::Side side, size_t ordinal) {
    return {.key = Hash(row.key),
            .content = Hash(100 + row.key * 10 + row.content),
            .side = side,
            .file = 7,
            .row = static_cast<uint32_t>(ordinal)};
  }

  /// Compare, and see that what is left over makes one side the other.
  RowTally::Totals Compare(const std::vector<Small>& old_rows, const std::vector<Small>& new_rows,
                           bool keyed, size_t bytes_max, int64_t rows_expected) {
    RowTally tally(folder_.string(), keyed, rows_expected, bytes_max);
    for (size_t i = 0; i < old_rows.size(); ++i)
      EXPECT_TRUE(tally.Add(RowOf(old_rows[i], RowTally::Side::kOld, i)).ok());
    for (size_t i = 0; i < new_rows.size(); ++i)
      EXPECT_TRUE(tally.Add(RowOf(new_rows[i], RowTally::Side::kNew, i)).ok());
    std::multiset<Small> gone, come;
    std::set<uint32_t> gone_rows, come_rows;
    auto totals = tally.Compare([&](const RowTally::Row& row) {
      bool is_new = row.side == RowTally::Side::kNew;
      (is_new ? come : gone).insert((is_new ? new_rows : old_rows)[row.row]);
      EXPECT_TRUE((is_new ? come_rows : gone_rows).insert(row.row).second) << "told twice";
      EXPECT_EQ(row.file, 7U);
      return Status::Ok();
    });
    EXPECT_TRUE(totals.ok()) << totals.status().ToString();
    // The naive way.
    std::map<Small, int64_t> more;
    for (const auto& row : new_rows) ++more[row];
    for (const auto& row : old_rows) --more[row];
    std::multiset<Small> to_go, to_come;
    std::map<int, std::pair<int64_t, int64_t>> of_key;
    for (const auto& [row, count] : more) {
      for (int64_t i = 0; i < count; ++i) to_come.insert(row);
      for (int64_t i = 0; i < -count; ++i) to_go.insert(row);
      (count > 0 ? of_key[row.key].second : of_key[row.key].first) += std::abs(count);
    }
    EXPECT_EQ(gone, to_go);
    EXPECT_EQ(come, to_come);
    int64_t updated = 0;
    for (const auto& [key, counts] : of_key) updated += std::min(counts.first, counts.second);
    if (!keyed) updated = 0;
    EXPECT_EQ(totals->updated, updated);
    EXPECT_EQ(totals->inserted, std::ssize(to_come) - updated);
    EXPECT_EQ(totals->deleted, std::ssize(to_go) - updated);
    return totals.ok() ? *totals : RowTally::Totals();
  }

  fs::path folder_;
};

TEST_F(RowTallyTest, FindsWhatANaiveComparisonFinds) {
  rc::check("two multisets of rows", [&] {
    auto rows = [] {
      return *rc::gen::container<std::vector<Small>>(
          rc::gen::construct<Small>(rc::gen::inRange(0, 5), rc::gen::inRange(0, 3)));
    };
    bool keyed = *rc::gen::arbitrary<bool>();
    // Of the smallest each row is put aside at once, in many parts.
    auto bytes_max = *rc::gen::element<size_t>(1, 400, 1'000'000);
    auto expected = *rc::gen::element<int64_t>(0, 10, 500);
    auto old_rows = rows();
    auto new_rows = rows();
    Compare(old_rows, new_rows, keyed, bytes_max, expected);
    RC_ASSERT(!testing::Test::HasFailure());
  });
}

TEST_F(RowTallyTest, ManyEqualRowsCostNoMoreThanOthers) {
  constexpr int kRows = 1'000'000;
  std::vector<Small> old_rows(kRows, {1, 1}), new_rows(kRows - 1, {1, 1});
  old_rows.push_back({2, 0});
  auto totals = Compare(old_rows, new_rows, false, 1 << 20, 2L * kRows);
  EXPECT_EQ(totals.deleted, 2);
  EXPECT_EQ(totals.inserted, 0);
}

TEST_F(RowTallyTest, PairsAreRowsOfAKeyAsManyAsBothSidesHaveMoreOf) {
  for (size_t bytes_max : {size_t{1} << 20U, size_t{200}}) {
    RowTally tally(folder_.string(), true, 8, bytes_max);
    const std::vector<Small> old_rows{{1, 0}, {2, 0}, {3, 0}, {5, 0}},
        new_rows{{2, 1}, {3, 0}, {4, 0}, {5, 1}, {5, 2}};
    for (size_t i = 0; i < old_rows.size(); ++i)
      ASSERT_TRUE(tally.Add(RowOf(old_rows[i], RowTally::Side::kOld, i)).ok());
    for (size_t i = 0; i < new_rows.size(); ++i)
      ASSERT_TRUE(tally.Add(RowOf(new_rows[i], RowTally::Side::kNew, i)).ok());
    std::map<Small, bool> gone, come;
    ASSERT_TRUE(tally
                    .Pair([&](const RowTally::Row& row, bool paired) {
                      const bool is_new = row.side == RowTally::Side::kNew;
                      (is_new ? come : gone)[(is_new ? new_rows : old_rows)[row.row]] = paired;
                      return Status::Ok();
                    })
                    .ok());
    EXPECT_EQ(gone, (std::map<Small, bool>{{{1, 0}, false}, {{2, 0}, true}, {{5, 0}, true}}));
    EXPECT_EQ(come, (std::map<Small, bool>{
                        {{2, 1}, true}, {{4, 0}, false}, {{5, 1}, true}, {{5, 2}, false}}));
  }
}

}  // namespace
}  // namespace freshet::apply
