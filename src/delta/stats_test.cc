// SPDX-License-Identifier: Apache-2.0
#include "delta/stats.h"

#include <gtest/gtest.h>

namespace freshet::delta {
namespace {

using parquet::StatValue;

/// The stats of a file with one column "c" of these bounds.
std::string Of(std::shared_ptr<arrow::DataType> type, std::optional<StatValue> min,
               std::optional<StatValue> max) {
  Column column;
  column.name = "logical";
  column.physical = "c";
  column.type = type;
  parquet::FileStatistics statistics;
  statistics.rows = 9;
  statistics.columns.push_back({"c", std::move(type), 2, std::move(min), std::move(max)});
  return StatsJson(statistics, {column}, true);
}
std::string Expect(const std::string& min, const std::string& max) {
  auto member = [](const std::string& value) {
    return value.empty() ? "{}" : R"({"c":)" + value + "}";
  };
  return R"({"numRecords":9,"minValues":)" + member(min) + R"(,"maxValues":)" + member(max) +
         R"(,"nullCount":{"c":2},"tightBounds":true})";
}
std::string Repeat(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST(Stats, NumbersAreExact) {
  EXPECT_EQ(Of(arrow::int64(), INT64_MIN, INT64_MAX),
            Expect("-9223372036854775808", "9223372036854775807"));
  EXPECT_EQ(Of(arrow::float64(), -0.1, 1e300), Expect("-0.1", "1e+300"));
  EXPECT_EQ(Of(arrow::float32(), static_cast<double>(0.1F), static_cast<double>(16777216.0F)),
            Expect("0.1", "16777216"));
  EXPECT_EQ(Of(arrow::float64(), -INFINITY, INFINITY), Expect("", ""));
}

TEST(Stats, DecimalsKeepEveryDigit) {
  EXPECT_EQ(Of(arrow::decimal128(18, 2), int64_t{-5}, int64_t{900719925474099301}),
            Expect("-0.05", "9007199254740993.01"));
  EXPECT_EQ(Of(arrow::decimal128(38, 38), std::string("-1"),
               std::string("99999999999999999999999999999999999999")),
            Expect("-0.00000000000000000000000000000000000001",
                   "0.99999999999999999999999999999999999999"));
  EXPECT_EQ(Of(arrow::decimal128(20, 0), std::string("0"), std::string("99999999999999999999")),
            Expect("0", "99999999999999999999"));
}

TEST(Stats, TimesAreMillisecondsWithTheMaximumRoundedUp) {
  auto utc = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  EXPECT_EQ(Of(utc, int64_t{1700000000123456}, int64_t{1700000000123456}),
            Expect(R"("2023-11-14T22:13:20.123Z")", R"("2023-11-14T22:13:20.124Z")"));
  EXPECT_EQ(Of(arrow::timestamp(arrow::TimeUnit::MICRO), int64_t{-1}, int64_t{-1}),
            Expect(R"("1969-12-31T23:59:59.999")", R"("1970-01-01T00:00:00.000")"));
  EXPECT_EQ(Of(utc, int64_t{86399999999}, int64_t{86399999999}),
            Expect(R"("1970-01-01T23:59:59.999Z")", R"("1970-01-02T00:00:00.000Z")"));
  EXPECT_EQ(Of(arrow::date32(), int64_t{-719162}, int64_t{2932896}),
            Expect(R"("0001-01-01")", R"("9999-12-31")"));
  EXPECT_EQ(Of(arrow::date32(), int64_t{-719163}, int64_t{2932897}), Expect("", ""));
}

TEST(Stats, StringsAreCutAt32CharactersAndTheMaximumRaised) {
  EXPECT_EQ(Of(arrow::utf8(), std::string("a\"b"), Repeat("ä", 32)),
            Expect(R"("a\"b")", "\"" + Repeat("ä", 32) + "\""));
  EXPECT_EQ(Of(arrow::utf8(), Repeat("ä", 33), Repeat("ä", 33)),
            Expect("\"" + Repeat("ä", 32) + "\"", "\"" + Repeat("ä", 31) + "å\""));
  const std::string last =
      "\xF4\x8F\xBF\xBF";  // U+10FFFF cannot be raised: the character before it is
  EXPECT_EQ(Of(arrow::utf8(), std::string("x"), Repeat("é", 31) + last + "z"),
            Expect(R"("x")", "\"" + Repeat("é", 30) + "ê\""));
  EXPECT_EQ(Of(arrow::utf8(), std::string("x"), Repeat(last, 40)), Expect(R"("x")", ""));
  // U+D7FF is followed by the surrogates, which are no characters.
  EXPECT_EQ(Of(arrow::utf8(), std::string("x"), Repeat("a", 31) + "\xED\x9F\xBF" + "z"),
            Expect(R"("x")", "\"" + Repeat("a", 31) + "\xEE\x80\x80\""));
  EXPECT_EQ(Of(arrow::utf8(), std::string("\xFF"), std::string("\xC3")), Expect("", ""));
}

TEST(Stats, BooleansBytesAndForeignTypesHaveNoBounds) {
  EXPECT_EQ(Of(arrow::boolean(), false, true), Expect("", ""));
  EXPECT_EQ(Of(arrow::binary(), std::string("a"), std::string("b")), Expect("", ""));
}

TEST(Stats, OnlyTheFirst32ColumnsAreIn) {
  parquet::FileStatistics statistics;
  std::vector<Column> columns(40);
  for (size_t i = 0; i < columns.size(); ++i) {
    columns[i].physical = "c" + std::to_string(i);
    columns[i].type = arrow::int64();
    statistics.columns.push_back({columns[i].physical, arrow::int64(), 0, int64_t{1}, int64_t{1}});
  }
  const std::string json = StatsJson(statistics, columns, true);
  EXPECT_NE(json.find("\"c31\""), std::string::npos);
  EXPECT_EQ(json.find("\"c32\""), std::string::npos);
}

TEST(Stats, LooseBoundsKeepTheDigitsAsTheyStand) {
  const std::string foreign =
      R"({"numRecords":12, "minValues":{"a,}\"":9007199254740993.01},"tightBounds":true,"nullCount":{"a":{"b":1}}})";
  EXPECT_EQ(
      WithoutTightBounds(foreign),
      R"({"numRecords":12,"minValues":{"a,}\"":9007199254740993.01},"nullCount":{"a":{"b":1}},"tightBounds":false})");
  EXPECT_EQ(RowsOf(foreign), 12);
  EXPECT_EQ(RowsOf(""), -1);
  EXPECT_EQ(WithoutTightBounds(""), "");
  EXPECT_EQ(RowsOf(R"({"minValues":{"numRecords":4},"numRecords": 5})"), 5);
}

}  // namespace
}  // namespace freshet::delta
