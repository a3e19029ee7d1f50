// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/copy.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "sources/postgres/decode.h"

namespace freshet::sources::postgres {
namespace {

using Value = std::optional<std::string>;
using Row = std::vector<Value>;

template <typename T>
std::string BigEndian(T value) {
  std::string bytes;
  for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8)
    bytes += static_cast<char>(static_cast<uint64_t>(value) >> shift & 0xFF);
  return bytes;
}

std::string Header() {
  return std::string("PGCOPY\n\377\r\n\0", 11) + BigEndian<int32_t>(0) + BigEndian<int32_t>(0);
}

std::string Message(const Row& row) {
  std::string message = BigEndian(static_cast<int16_t>(row.size()));
  for (const auto& value : row) {
    message += BigEndian(value ? static_cast<int32_t>(value->size()) : -1);
    message += value.value_or("");
  }
  return message;
}

std::string Numeric(std::vector<int> groups, int weight, uint16_t sign, int scale) {
  std::string bytes = BigEndian(static_cast<int16_t>(groups.size())) +
                      BigEndian(static_cast<int16_t>(weight)) + BigEndian(sign) +
                      BigEndian(static_cast<int16_t>(scale));
  for (int group : groups) bytes += BigEndian(static_cast<int16_t>(group));
  return bytes;
}

/// Every kind with an array and without a form of its own among them.
const std::vector<ColumnType>& Types() {
  static const std::vector<ColumnType> kTypes = {
      {.kind = Kind::kBool},
      {.kind = Kind::kInt16},
      {.kind = Kind::kInt32},
      {.kind = Kind::kInt64},
      {.kind = Kind::kFloat32},
      {.kind = Kind::kFloat64},
      {.kind = Kind::kText},
      {.kind = Kind::kJsonb},
      {.kind = Kind::kBytea},
      {.kind = Kind::kDate},
      {.kind = Kind::kTime},
      {.kind = Kind::kTimestamp},
      {.kind = Kind::kTimestampTz},
      {.kind = Kind::kUuid},
      {.kind = Kind::kText, .as_text = true},
      {.kind = Kind::kNumeric, .precision = 12, .scale = 2},
      {.kind = Kind::kNumeric, .precision = 38, .scale = 10},
      {.kind = Kind::kArray, .children = {{.kind = Kind::kInt32}}}};
  return kTypes;
}

class Random {
 public:
  Row NextRow() {
    Row row;
    for (const auto& type : Types()) row.push_back(Next(type));
    return row;
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  std::string Bytes(size_t size) {
    std::string bytes;
    while (bytes.size() < size) bytes += static_cast<char>('a' + Below(26));
    return bytes;
  }

  Value Next(const ColumnType& type) {
    if (Below(8) == 0) return std::nullopt;
    if (type.kind == Kind::kArray) {
      return BigEndian<int32_t>(1) + BigEndian<int32_t>(0) + BigEndian<int32_t>(23) +
             BigEndian<int32_t>(1) + BigEndian<int32_t>(1) + BigEndian<int32_t>(4) +
             BigEndian(static_cast<int32_t>(random_()));
    }
    switch (type.kind) {
      case Kind::kBool:
        return std::string(1, static_cast<char>(Below(2)));
      case Kind::kInt16:
        return BigEndian(static_cast<int16_t>(random_()));
      case Kind::kInt32:
      case Kind::kFloat32:
        return BigEndian(static_cast<int32_t>(random_()));
      case Kind::kDate:
        return BigEndian(Below(4) == 0 ? INT32_MAX : static_cast<int32_t>(Below(20'000)));
      case Kind::kInt64:
      case Kind::kFloat64:
        return BigEndian(random_());
      case Kind::kTimestamp:
      case Kind::kTimestampTz:
        return BigEndian(Below(4) == 0 ? INT64_MIN : static_cast<int64_t>(random_() >> 8));
      case Kind::kTime:
        return BigEndian(static_cast<int64_t>(Below(86'400'000'000)));
      case Kind::kUuid:
        return BigEndian(random_()) + BigEndian(random_());
      case Kind::kNumeric:
        return NextNumeric();
      case Kind::kJsonb:
        return '\1' + Bytes(Below(40));
      default:
        return Bytes(Below(50) == 0 ? Below(200'000) : Below(70));
    }
  }

  Value NextNumeric() {
    std::vector<int> groups;
    for (uint64_t count = Below(6); groups.size() < count;)
      groups.push_back(static_cast<int>(Below(10'000)));
    static constexpr uint16_t kSigns[] = {0, 0x4000, 0, 0xC000};
    return Numeric(groups, static_cast<int>(Below(5)) - 2, kSigns[Below(4)], 2);
  }

  std::mt19937_64 random_{7};
};

std::shared_ptr<arrow::Schema> SchemaOf(const std::vector<ColumnType>& types) {
  arrow::FieldVector fields;
  for (const auto& type : types)
    fields.push_back(arrow::field(fmt::format("c{}", fields.size()), ArrowTypeOf(type)));
  return arrow::schema(fields);
}

/// The same rows, value by value.
struct Expected {
  std::shared_ptr<arrow::RecordBatch> batch;
  int64_t values_nulled = 0;
};
Expected Decode(const std::vector<Row>& rows) {
  Expected expected;
  arrow::ArrayVector arrays;
  for (size_t column = 0; column < Types().size(); ++column) {
    ColumnDecoder decoder(Types()[column]);
    for (const auto& row : rows) {
      EXPECT_TRUE(decoder.Reserve(1).ok());
      if (!row[column]) {
        decoder.AppendNull();
      } else {
        EXPECT_TRUE(decoder.AppendBinary(*row[column]));
      }
    }
    arrays.push_back(decoder.Finish().ValueOrDie());
    expected.values_nulled += decoder.values_nulled();
  }
  expected.batch = arrow::RecordBatch::Make(SchemaOf(Types()), std::ssize(rows), std::move(arrays));
  return expected;
}

TEST(CopyDecoder, GivesWhatTheDecoderOfSingleValuesGives) {
  Random random;
  CopyDecoder decoder(SchemaOf(Types()), Types(), CopyFormat::kBinary);
  ASSERT_TRUE(decoder.Take(Header()).ok());
  int64_t nulled = 0;
  for (int64_t count : {1000, 1, 256, 700}) {
    std::vector<Row> rows;
    while (std::ssize(rows) < count) {
      rows.push_back(random.NextRow());
      ASSERT_TRUE(decoder.Take(Message(rows.back())).ok());
    }
    EXPECT_EQ(decoder.rows(), count);
    auto batch = decoder.Finish();
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    ASSERT_TRUE((*batch)->ValidateFull().ok());
    auto expected = Decode(rows);
    nulled += expected.values_nulled;
    ASSERT_TRUE((*batch)->Equals(*expected.batch, /*check_metadata=*/false,
                                 arrow::EqualOptions::Defaults().nans_equal(true)));
  }
  EXPECT_EQ(decoder.values_nulled(), nulled);
  EXPECT_GT(nulled, 0);
  EXPECT_FALSE(decoder.End().ok());
  ASSERT_TRUE(decoder.Take(BigEndian<int16_t>(-1)).ok());
  EXPECT_TRUE(decoder.End().ok());
  EXPECT_TRUE(decoder.Take(Message(random.NextRow())).Is(ErrorClass::SOURCE_PROTOCOL));
}

TEST(CopyDecoder, AValueOfAnotherTypeIsAnErrorThatNamesItsColumn) {
  const std::vector<std::pair<ColumnType, std::string>> bad = {
      {{.kind = Kind::kBool}, "ab"},
      {{.kind = Kind::kInt32}, "abc"},
      {{.kind = Kind::kFloat64}, "abcd"},
      {{.kind = Kind::kDate}, "a"},
      {{.kind = Kind::kTimestamp}, ""},
      {{.kind = Kind::kUuid}, "0123456789abcdef0"},
      {{.kind = Kind::kUuid}, ""},
      {{.kind = Kind::kJsonb}, "\2{}"},
      {{.kind = Kind::kJsonb}, ""},
      {{.kind = Kind::kNumeric, .precision = 9, .scale = 0}, Numeric({10'000}, 0, 0, 0)},
      {{.kind = Kind::kNumeric, .precision = 9, .scale = 0}, Numeric({1}, 0, 1, 0)},
      {{.kind = Kind::kTime}, "abc"}};
  for (const auto& [type, bytes] : bad) {
    CopyDecoder decoder(SchemaOf({type}), {type}, CopyFormat::kBinary);
    ASSERT_TRUE(decoder.Take(Header() + Message({bytes})).ok());
    auto batch = decoder.Finish();
    ASSERT_FALSE(batch.ok()) << static_cast<int>(type.kind);
    EXPECT_TRUE(batch.status().Is(ErrorClass::SOURCE_PROTOCOL));
    EXPECT_NE(batch.status().ToString().find("c0"), std::string::npos);
  }
}

TEST(CopyDecoder, ARowCutAnywhereIsAnError) {
  const std::vector<ColumnType> types = {{.kind = Kind::kInt32}, {.kind = Kind::kText}};
  const std::string row = Message({BigEndian<int32_t>(5), "text"});
  for (size_t size = 1; size < row.size(); ++size) {
    CopyDecoder decoder(SchemaOf(types), types, CopyFormat::kBinary);
    ASSERT_TRUE(decoder.Take(Header()).ok());
    EXPECT_TRUE(decoder.Take(row.substr(0, size)).Is(ErrorClass::SOURCE_PROTOCOL)) << size;
  }
  CopyDecoder decoder(SchemaOf(types), types, CopyFormat::kBinary);
  EXPECT_TRUE(decoder.Take(row).Is(ErrorClass::SOURCE_PROTOCOL));
  CopyDecoder narrow(SchemaOf({types[0]}), {types[0]}, CopyFormat::kBinary);
  EXPECT_TRUE(narrow.Take(Header() + row).Is(ErrorClass::SOURCE_PROTOCOL));
}

TEST(BinaryNumeric, BothWidthsOfArithmeticReadTheSame) {
  struct Case {
    std::string bytes;
    int32_t precision, scale;
    std::optional<std::string> value;  // unscaled
  };
  const std::vector<Case> cases = {
      {Numeric({1234, 5600}, 0, 0, 2), 12, 2, "123456"},
      {Numeric({1234, 5600}, 0, 0x4000, 2), 20, 2, "-123456"},
      {Numeric({500}, -1, 0, 2), 2, 2, "5"},
      {Numeric({500}, -1, 0, 2), 30, 2, "5"},
      {Numeric({9999, 9999, 9999, 9999}, 3, 0, 0), 16, 0, "9999999999999999"},
      {Numeric({99, 9999, 9999, 9999, 9999}, 4, 0, 0), 18, 0, "999999999999999999"},
      {Numeric({100, 0, 0, 0, 0}, 4, 0, 0), 18, 0, std::nullopt},
      {Numeric({1}, 4, 0, 0), 18, 0, "10000000000000000"},
      {Numeric({1}, 4, 0, 0), 16, 0, std::nullopt},
      {Numeric({1}, 4, 0, 0), 19, 2, "1000000000000000000"},
      {Numeric({}, 0, 0, 0), 5, 2, "0"},
      {Numeric({}, 0, 0, 0), 25, 2, "0"}};
  for (const auto& each : cases) {
    arrow::Decimal128 value;
    auto parsed = ParseBinaryNumeric(each.bytes, each.precision, each.scale, &value);
    ASSERT_EQ(parsed, each.value ? Parsed::kValue : Parsed::kUnholdable) << each.precision;
    if (each.value) {
      EXPECT_EQ(value.ToIntegerString(), *each.value);
    }
  }
}

}  // namespace
}  // namespace freshet::sources::postgres
