// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "sources/postgres/copy.h"
#include "sources/postgres/decode.h"

namespace freshet::sources::postgres {
namespace {

using Value = std::optional<std::string>;

/// One of every kind, with values in the type's own text form; the last row is NULL throughout.
struct Column {
  ColumnType type;
  std::vector<std::string> values;
};

const std::vector<Column>& Columns() {
  static const std::vector<Column> kColumns = {
      {{.kind = Kind::kBool}, {"t", "f"}},
      {{.kind = Kind::kInt16}, {"-32768", "32767"}},
      {{.kind = Kind::kInt32}, {"-2147483648", "0"}},
      {{.kind = Kind::kInt64}, {"-9223372036854775808", "9223372036854775807"}},
      {{.kind = Kind::kFloat32}, {"1e-07", "NaN"}},
      {{.kind = Kind::kFloat64}, {"-0.3333333333333333", "Infinity"}},
      {{.kind = Kind::kNumeric, .precision = 12, .scale = 2}, {"-1234567890.12", "NaN"}},
      {{.kind = Kind::kText}, {"a\tb\nc\\d\r\b\f\v", ""}},
      {{.kind = Kind::kText}, {"\\N", "ä \\."}},
      {{.kind = Kind::kJsonb}, {R"({"a": "\n\\"})", "[]"}},
      {{.kind = Kind::kBytea}, {"\\x00ff5c", "\\x"}},
      {{.kind = Kind::kDate}, {"2024-02-29", "infinity"}},
      {{.kind = Kind::kTime}, {"24:00:00", "01:02:03.000004"}},
      {{.kind = Kind::kTimestamp}, {"2024-02-29 12:00:00.000001", "0044-03-15 00:00:00 BC"}},
      {{.kind = Kind::kTimestampTz}, {"2024-02-29 12:00:00+00", "-infinity"}},
      {{.kind = Kind::kUuid},
       {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"}},
      {{.kind = Kind::kText, .as_text = true}, {"<1,2>", "$1.00"}},
      {{.kind = Kind::kArray, .children = {{.kind = Kind::kText}}}, {R"({"a\\b\t",NULL})", "{}"}}};
  return kColumns;
}

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (char c : text) {
    constexpr std::string_view kPlain = "\b\f\n\r\t\v\\", kNames = "bfnrtv\\";
    const size_t at = kPlain.find(c);
    if (at == kPlain.npos) {
      escaped += c;
    } else {
      escaped += {'\\', kNames[at]};
    }
  }
  return escaped;
}

std::string Line(const std::vector<Value>& row) {
  std::string line;
  for (const auto& value : row) {
    if (!line.empty() || &value != row.data()) line += '\t';
    line += value ? Escaped(*value) : "\\N";
  }
  return line + '\n';
}

std::shared_ptr<arrow::Schema> SchemaOf(const std::vector<ColumnType>& types) {
  arrow::FieldVector fields;
  for (const auto& type : types)
    fields.push_back(arrow::field(fmt::format("c{}", fields.size()), ArrowTypeOf(type)));
  return arrow::schema(fields);
}

TEST(CopyText, GivesWhatTheDecoderOfSingleValuesGives) {
  std::vector<ColumnType> types;
  for (const auto& column : Columns()) types.push_back(column.type);
  CopyDecoder decoder(SchemaOf(types), types, CopyFormat::kText);
  std::string message;
  for (size_t i = 0; i <= 2; ++i) {
    std::vector<Value> row;
    for (const auto& column : Columns())
      row.push_back(i < 2 ? Value(column.values[i]) : std::nullopt);
    message += Line(row);
  }
  ASSERT_TRUE(decoder.Take(message).ok());
  ASSERT_EQ(decoder.rows(), 3);
  EXPECT_TRUE(decoder.End().ok());
  auto batch = decoder.Finish();
  ASSERT_TRUE(batch.ok()) << batch.status().ToString();
  ASSERT_TRUE((*batch)->ValidateFull().ok());
  int64_t nulled = 0;
  for (size_t i = 0; i < types.size(); ++i) {
    ColumnDecoder single(types[i]);
    for (const auto& value : Columns()[i].values) {
      ASSERT_TRUE(single.Reserve(1).ok());
      ASSERT_TRUE(single.AppendText(value)) << value;
    }
    ASSERT_TRUE(single.Reserve(1).ok());
    single.AppendNull();
    auto expected = single.Finish().ValueOrDie();
    nulled += single.values_nulled();
    EXPECT_TRUE((*batch)
                    ->column(static_cast<int>(i))
                    ->Equals(*expected, arrow::EqualOptions::Defaults().nans_equal(true)))
        << "column " << i;
  }
  EXPECT_EQ(decoder.values_nulled(), nulled);
  EXPECT_GT(nulled, 0);
}

TEST(CopyText, ARowThatIsNotInItsFormatIsAnError) {
  const std::vector<ColumnType> types = {{.kind = Kind::kText}, {.kind = Kind::kText}};
  for (const char* bad : {"a\tb", "a\n", "a\tb\tc\n", "a\tb\\\n", "\n"}) {
    CopyDecoder decoder(SchemaOf(types), types, CopyFormat::kText);
    EXPECT_TRUE(decoder.Take(bad).Is(ErrorClass::SOURCE_PROTOCOL)) << bad;
  }
  const std::vector<ColumnType> number = {{.kind = Kind::kInt32}};
  CopyDecoder decoder(SchemaOf(number), number, CopyFormat::kText);
  ASSERT_TRUE(decoder.Take("1x\n").ok());
  auto batch = decoder.Finish();
  ASSERT_TRUE(batch.status().Is(ErrorClass::SOURCE_PROTOCOL));
  EXPECT_NE(batch.status().ToString().find("c0"), std::string::npos);
}

TEST(CopyText, RowsOfManyBlocksKeepTheirValues) {
  const std::vector<ColumnType> types = {{.kind = Kind::kInt64}, {.kind = Kind::kText}};
  CopyDecoder decoder(SchemaOf(types), types, CopyFormat::kText);
  for (int i = 0; i < 1000; ++i)
    ASSERT_TRUE(decoder.Take(Line({std::to_string(i), std::string(1000, '\\')})).ok());
  auto batch = decoder.Finish();
  ASSERT_TRUE(batch.ok()) << batch.status().ToString();
  ASSERT_EQ((*batch)->num_rows(), 1000);
  const auto& numbers = static_cast<const arrow::Int64Array&>(*(*batch)->column(0));
  const auto& texts = static_cast<const arrow::StringArray&>(*(*batch)->column(1));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(numbers.Value(i), i);
    EXPECT_EQ(texts.GetView(i), std::string(1000, '\\'));
  }
}

TEST(CopyFormat, TextWhereItsValuesAreCheaper) {
  const ColumnType amount = {.kind = Kind::kNumeric, .precision = 12, .scale = 2};
  const ColumnType time = {.kind = Kind::kTimestamp};
  const ColumnType range = {.kind = Kind::kText, .as_text = true};
  EXPECT_EQ(CheaperCopyFormat({range, amount}), CopyFormat::kText);
  EXPECT_EQ(CheaperCopyFormat({range, range, time}), CopyFormat::kText);
  EXPECT_EQ(CheaperCopyFormat({range, time, time}), CopyFormat::kBinary);
  EXPECT_EQ(CheaperCopyFormat({amount, time}), CopyFormat::kBinary);
  EXPECT_EQ(CheaperCopyFormat({}), CopyFormat::kBinary);
  EXPECT_EQ(CopyExpression(range, "\"r\"", CopyFormat::kText), "\"r\"");
  EXPECT_NE(CopyExpression(range, "\"r\"", CopyFormat::kBinary), "\"r\"");
}

}  // namespace
}  // namespace freshet::sources::postgres
