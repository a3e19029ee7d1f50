// SPDX-License-Identifier: Apache-2.0
#include "parquet/encoder.h"

#include <arrow/array/concatenate.h>
#include <arrow/io/memory.h>
#include <arrow/util/decimal.h>
#include <gtest/gtest.h>
#include <parquet/column_page.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <cmath>
#include <random>

#include "base/limits.h"
#include "parquet/column_encoding.h"
#include "parquet/reader.h"
#include "store/memory_store.h"

namespace freshet::parquet {
namespace {

using Array = std::shared_ptr<arrow::Array>;

template <typename Builder, typename T>
Array Make(std::shared_ptr<arrow::DataType> type, const std::vector<std::optional<T>>& values) {
  Builder builder(std::move(type), arrow::default_memory_pool());
  for (const auto& value : values) {
    EXPECT_TRUE((value ? builder.Append(*value) : builder.AppendNull()).ok());
  }
  return builder.Finish().ValueOrDie();
}
Array Longs(const std::vector<std::optional<int64_t>>& values) {
  return Make<arrow::Int64Builder>(arrow::int64(), values);
}
Array Strings(const std::vector<std::optional<std::string>>& values) {
  return Make<arrow::StringBuilder>(arrow::utf8(), values);
}
Array Doubles(const std::vector<std::optional<double>>& values) {
  return Make<arrow::DoubleBuilder>(arrow::float64(), values);
}

/// Encode columns named c0, c1, … with field ids 11, 12, …, one batch each.
Result<EncodedFile> Encode(const std::vector<std::vector<Array>>& batches) {
  arrow::FieldVector fields;
  std::vector<std::string> names;
  std::vector<record::ColumnId> ids;
  for (const auto& column : batches[0]) {
    names.push_back("c" + std::to_string(names.size()));
    ids.emplace_back(11 + static_cast<int32_t>(ids.size()));
    fields.push_back(arrow::field("logical", column->type()));
  }
  auto schema = arrow::schema(fields);
  FRESHET_TRY(auto encoder, Encoder::Make(schema, names, ids));
  for (const auto& batch : batches) {
    FRESHET_CHECK_OK(encoder->Write(arrow::RecordBatch::Make(schema, batch[0]->length(), batch)));
  }
  return encoder->Finish();
}

std::unique_ptr<Reader> OpenBytes(std::string bytes, std::shared_ptr<store::FileStore>* store) {
  *store = store::MakeMemoryStore();
  EXPECT_TRUE((*store)->Put("f", bytes, store::If::kAbsent).ok());
  auto reader = Reader::Open(*store, "f");
  EXPECT_TRUE(reader.ok()) << reader.status().ToString();
  return reader.ok() ? std::move(reader).value() : nullptr;
}

TEST(Encoder, StatisticsAreExactForEveryType) {
  auto decimal = arrow::decimal128(18, 2);
  auto wide = arrow::decimal128(38, 10);
  auto big = *arrow::Decimal128::FromString("-99999999999999999999999999999999999999");
  auto file = Encode({{
      Longs({3, std::nullopt, -7}),
      Make<arrow::Decimal128Builder, arrow::Decimal128>(decimal, {{900719925474099301}, {-1}, {}}),
      Make<arrow::Decimal128Builder, arrow::Decimal128>(wide, {{big}, {5}, {}}),
      Strings({"b", "ä", std::nullopt}),
      Make<arrow::BooleanBuilder, bool>(arrow::boolean(), {{false}, {}, {false}}),
      Make<arrow::TimestampBuilder, int64_t>(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                             {{-1}, {1700000000123456}, {}}),
      Make<arrow::Int8Builder, int8_t>(arrow::int8(), {{-128}, {127}, {0}}),
      Make<arrow::FloatBuilder, float>(arrow::float32(), {{0.1F}, {}, {-2.5F}}),
  }});
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  const auto& columns = file->statistics.columns;
  ASSERT_EQ(columns.size(), 8U);
  EXPECT_EQ(file->statistics.rows, 3);
  EXPECT_EQ(columns[0].name, "c0");
  EXPECT_EQ(columns[0].null_count, 1);
  EXPECT_EQ(columns[0].min, StatValue(int64_t{-7}));
  EXPECT_EQ(columns[0].max, StatValue(int64_t{3}));
  EXPECT_EQ(columns[1].max, StatValue(int64_t{900719925474099301}));
  EXPECT_EQ(columns[2].min, StatValue(std::string("-99999999999999999999999999999999999999")));
  EXPECT_EQ(columns[2].max, StatValue(std::string("5")));
  EXPECT_EQ(columns[3].min, StatValue(std::string("b")));
  EXPECT_EQ(columns[3].max, StatValue(std::string("ä")));
  EXPECT_EQ(columns[4].max, StatValue(false));
  EXPECT_EQ(columns[5].min, StatValue(int64_t{-1}));
  EXPECT_EQ(columns[5].max, StatValue(int64_t{1700000000123456}));
  EXPECT_EQ(columns[6].min, StatValue(int64_t{-128}));
  EXPECT_EQ(columns[7].max, StatValue(static_cast<double>(0.1F)));
}

TEST(Encoder, NanLongStringAllNullAndListHaveNoBounds) {
  arrow::ListBuilder lists(arrow::default_memory_pool(), std::make_shared<arrow::Int64Builder>());
  ASSERT_TRUE(lists.Append().ok());
  ASSERT_TRUE(static_cast<arrow::Int64Builder*>(lists.value_builder())->Append(1).ok());
  ASSERT_TRUE(lists.AppendNull().ok());
  auto file = Encode({{Doubles({1.0, std::nan("")}), Strings({std::string(5000, 'x'), "a"}),
                       Longs({std::nullopt, std::nullopt}), lists.Finish().ValueOrDie()}});
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  const auto& columns = file->statistics.columns;
  EXPECT_EQ(columns[0].null_count, 0);
  EXPECT_FALSE(columns[0].min || columns[0].max);
  EXPECT_EQ(columns[1].min, StatValue(std::string("a")));
  EXPECT_FALSE(columns[1].max);
  EXPECT_EQ(columns[2].null_count, 2);
  EXPECT_FALSE(columns[2].min || columns[2].max);
  EXPECT_FALSE(columns[3].null_count || columns[3].min || columns[3].max);
}

TEST(Encoder, StatisticsSpanRowGroupsAndAreReadBackFromTheFooter) {
  std::vector<std::optional<int64_t>> high(static_cast<size_t>(limits::kRowGroupRowsMax));
  for (size_t i = 0; i < high.size(); ++i) high[i] = static_cast<int64_t>(i);
  std::vector<std::optional<double>> reals(high.size(), 1.5);
  auto file =
      Encode({{Longs(high), Doubles(reals)}, {Longs({-5, {}}), Doubles({std::nan(""), {}})}});
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  std::shared_ptr<store::FileStore> store;
  auto reader = OpenBytes(file->bytes->ToString(), &store);
  ASSERT_EQ(reader->row_groups(), 2);
  EXPECT_EQ(reader->RowsOf(1), (std::pair<int64_t, int64_t>(limits::kRowGroupRowsMax, 2)));
  auto statistics = reader->Statistics();
  ASSERT_TRUE(statistics.ok());
  for (const auto* columns : {&file->statistics.columns, &statistics->columns}) {
    EXPECT_EQ((*columns)[0].min, StatValue(int64_t{-5}));
    EXPECT_EQ((*columns)[0].max, StatValue(limits::kRowGroupRowsMax - 1));
    EXPECT_EQ((*columns)[0].null_count, 1);
    EXPECT_FALSE((*columns)[1].min) << "a NaN in the second row group";
  }
}

TEST(Encoder, FieldIdsPageIndexAndDictionariesAreInTheFile) {
  std::vector<std::optional<int64_t>> unique(20000), few(20000);
  std::vector<std::optional<std::string>> words(20000);
  for (size_t i = 0; i < unique.size(); ++i) {
    unique[i] = static_cast<int64_t>(i * 7919);
    few[i] = static_cast<int64_t>(i % 50);
    words[i] = "word " + std::to_string(i % 1000);
  }
  auto file = Encode({{Longs(unique), Longs(few), Strings(words)}});
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  auto input = std::make_shared<arrow::io::BufferReader>(file->bytes);
  auto raw = ::parquet::ParquetFileReader::Open(input);
  EXPECT_EQ(raw->metadata()->schema()->Column(0)->schema_node()->field_id(), 11);
  EXPECT_EQ(raw->metadata()->schema()->Column(2)->schema_node()->field_id(), 13);
  auto group = raw->metadata()->RowGroup(0);
  EXPECT_FALSE(group->ColumnChunk(0)->has_dictionary_page());
  EXPECT_TRUE(group->ColumnChunk(1)->has_dictionary_page());
  EXPECT_TRUE(group->ColumnChunk(2)->has_dictionary_page());
  EXPECT_EQ(group->ColumnChunk(0)->compression(), ::parquet::Compression::ZSTD);
  EXPECT_TRUE(group->ColumnChunk(0)->GetColumnIndexLocation().has_value());
}

TEST(Encoder, AnEmptyFileIsAFile) {
  auto encoder = Encoder::Make(arrow::schema({arrow::field("a", arrow::int64())}), {"a"},
                               {record::ColumnId(1)});
  ASSERT_TRUE(encoder.ok());
  auto file = (*encoder)->Finish();
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(file->statistics.rows, 0);
  std::shared_ptr<store::FileStore> store;
  EXPECT_EQ(OpenBytes(file->bytes->ToString(), &store)->rows(), 0);
}

TEST(ColumnEncoding, FewManyAndRunningValuesAreToldApart) {
  std::vector<std::optional<int64_t>> unique(200000), few(200000), many(200000), random(200000);
  for (size_t i = 0; i < unique.size(); ++i) {
    unique[i] = static_cast<int64_t>(i * 13 + i % 5);
    few[i] = static_cast<int64_t>(i * 2654435761U % 300);
    many[i] = static_cast<int64_t>(i * 2654435761U % 90000);
    const uint64_t mixed = i * 0x9E3779B97F4A7C15ULL;
    random[i] = static_cast<int64_t>(mixed ^ ((mixed >> 29U) * 0xBF58476D1CE4E5B9ULL));
  }
  EXPECT_EQ(ChooseEncoding({Longs(unique)}), ColumnEncoding::kDelta);
  EXPECT_EQ(ChooseEncoding({Longs(few)}), ColumnEncoding::kDictionary);
  EXPECT_EQ(ChooseEncoding({Longs(random)}), ColumnEncoding::kPlain);
  EXPECT_NE(ChooseEncoding({Longs(many)}), ColumnEncoding::kDictionary);
  EXPECT_EQ(ChooseEncoding({}), ColumnEncoding::kDictionary);
  EXPECT_EQ(EstimateDistinct({Longs(few)}), 300);
  EXPECT_NEAR(static_cast<double>(EstimateDistinct({Longs(many)})), 90000, 45000);
}

TEST(ColumnEncoding, DeltasOfExtremesAndNullsComeBack) {
  std::vector<std::optional<int64_t>> values(1000);
  for (size_t i = 0; i < values.size(); ++i) {
    if (i % 11 != 0) values[i] = static_cast<int64_t>(i) * 3;
  }
  values[500] = INT64_MIN;
  values[501] = INT64_MAX;
  auto file = Encode({{Longs(values)}});
  ASSERT_TRUE(file.ok());
  auto input = std::make_shared<arrow::io::BufferReader>(file->bytes);
  const auto chunk =
      ::parquet::ParquetFileReader::Open(input)->metadata()->RowGroup(0)->ColumnChunk(0);
  const auto& encodings = chunk->encodings();
  EXPECT_NE(std::find(encodings.begin(), encodings.end(), ::parquet::Encoding::DELTA_BINARY_PACKED),
            encodings.end());
  std::shared_ptr<store::FileStore> store;
  auto batch =
      OpenBytes(file->bytes->ToString(), &store)->Read(0, {arrow::field("c0", arrow::int64())});
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE((*batch)->column(0)->Equals(Longs(values)));
}

TEST(Reader, ReadsColumnsByNameCastsAndFillsMissing) {
  auto file = Encode({{Make<arrow::Int32Builder, int32_t>(arrow::int32(), {{1}, {}, {3}}),
                       Strings({"x", "y", {}})}});
  ASSERT_TRUE(file.ok());
  std::shared_ptr<store::FileStore> store;
  auto reader = OpenBytes(file->bytes->ToString(), &store);
  auto batch =
      reader->Read(0, {arrow::field("c1", arrow::utf8()), arrow::field("new", arrow::utf8()),
                       arrow::field("c0", arrow::int64())});
  ASSERT_TRUE(batch.ok()) << batch.status().ToString();
  EXPECT_TRUE((*batch)->column(0)->Equals(Strings({"x", "y", {}})));
  EXPECT_EQ((*batch)->column(1)->null_count(), 3);
  EXPECT_TRUE((*batch)->column(2)->Equals(Longs({1, {}, 3})));
}

TEST(Reader, TakesRowsAcrossRowGroups) {
  std::vector<std::optional<int64_t>> first(static_cast<size_t>(limits::kRowGroupRowsMax));
  for (size_t i = 0; i < first.size(); ++i) first[i] = static_cast<int64_t>(i);
  auto file = Encode({{Longs(first)}, {Longs({-1, -2, -3})}});
  ASSERT_TRUE(file.ok());
  std::shared_ptr<store::FileStore> store;
  auto reader = OpenBytes(file->bytes->ToString(), &store);
  const int64_t end = limits::kRowGroupRowsMax;
  auto batch = reader->Take({0, 5, end - 1, end, end + 2}, {arrow::field("c0", arrow::int64())});
  ASSERT_TRUE(batch.ok()) << batch.status().ToString();
  EXPECT_TRUE((*batch)->column(0)->Equals(Longs({0, 5, end - 1, -1, -3})));
  auto none = reader->Take({}, {arrow::field("c0", arrow::int64())});
  ASSERT_TRUE(none.ok());
  EXPECT_EQ((*none)->num_rows(), 0);
}

/// Counts the bytes that are read.
class CountingStore final : public store::FileStore {
 public:
  explicit CountingStore(std::shared_ptr<store::FileStore> inner) : inner_(std::move(inner)) {}
  int64_t bytes = 0;

  using store::FileStore::Put;
  Status Put(std::string_view path, std::span<const std::string_view> pieces,
             store::If condition) override {
    return inner_->Put(path, pieces, condition);
  }
  Result<std::shared_ptr<const std::string>> Get(std::string_view path, int64_t offset,
                                                 int64_t length) override {
    auto got = inner_->Get(path, offset, length);
    if (got.ok()) bytes += std::ssize(**got);
    return got;
  }
  Result<store::FileInfo> Stat(std::string_view path) override { return inner_->Stat(path); }
  Result<std::vector<store::FileInfo>> List(std::string_view folder, std::string_view after,
                                            int limit, bool recursive) override {
    return inner_->List(folder, after, limit, recursive);
  }
  Status Copy(std::string_view from, std::string_view to) override {
    return inner_->Copy(from, to);
  }
  Status Remove(std::string_view path) override { return inner_->Remove(path); }

 private:
  std::shared_ptr<store::FileStore> inner_;
};

TEST(Reader, ReadsOnlyThePagesThatHoldTheRows) {
  // Noise, which no encoding makes small; words of a dictionary; numbers; times; decimals; nothing.
  constexpr int64_t kRows = 150'000;
  std::mt19937_64 random(1);
  arrow::StringBuilder noise, words;
  arrow::Int64Builder numbers;
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::MICRO),
                                arrow::default_memory_pool());
  arrow::Decimal128Builder decimals(arrow::decimal128(20, 3));
  for (int64_t row = 0; row < kRows; ++row) {
    std::string text(120, ' ');
    for (char& c : text) c = static_cast<char>(33 + random() % 90);
    ASSERT_TRUE((row % 7 == 3 ? noise.AppendNull() : noise.Append(text)).ok());
    ASSERT_TRUE(words.Append(fmt::format("word {}", random() % 100)).ok());
    ASSERT_TRUE(
        (row % 5 == 0 ? numbers.AppendNull() : numbers.Append(static_cast<int64_t>(random())))
            .ok());
    ASSERT_TRUE(times.Append(row * 1'000'003).ok());
    ASSERT_TRUE(decimals.Append(arrow::Decimal128(0, random())).ok());
  }
  auto finish = [](auto& builder) { return builder.Finish().ValueOrDie(); };
  std::vector<std::shared_ptr<arrow::Array>> whole = {finish(noise), finish(words), finish(numbers),
                                                      finish(times), finish(decimals)};
  arrow::FieldVector fields;
  for (size_t i = 0; i < whole.size(); ++i)
    fields.push_back(arrow::field(fmt::format("c{}", i), whole[i]->type()));
  auto schema = arrow::schema(fields);
  auto encoder = std::move(Encoder::Make(schema, schema->field_names(), {})).value();
  ASSERT_TRUE(encoder->Write(arrow::RecordBatch::Make(schema, kRows, whole)).ok());
  auto file = encoder->Finish();
  ASSERT_TRUE(file.ok());
  auto store = std::make_shared<CountingStore>(store::MakeMemoryStore());
  ASSERT_TRUE(store->Put("f", file->bytes->ToString(), store::If::kAbsent).ok());
  auto reader = Reader::Open(store, "f");
  ASSERT_TRUE(reader.ok());
  for (const auto& rows : std::vector<std::vector<int64_t>>{
           {0}, {70'000, 70'001, 70'003}, {kRows - 1}, {3, 50'000, 99'999, 100'000, kRows - 2}}) {
    store->bytes = 0;
    auto batch = (*reader)->Take(rows, fields);
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    EXPECT_LT(store->bytes, file->bytes->size() / 2) << "rows from " << rows[0];
    for (size_t column = 0; column < whole.size(); ++column) {
      for (size_t i = 0; i < rows.size(); ++i) {
        EXPECT_TRUE((*batch)
                        ->column(static_cast<int>(column))
                        ->Slice(static_cast<int64_t>(i), 1)
                        ->Equals(whole[column]->Slice(rows[i], 1)))
            << "column " << column << " row " << rows[i];
      }
    }
  }
  store->bytes = 0;
  ASSERT_TRUE((*reader)->Take({75'000}, fields).ok());
  EXPECT_LT(store->bytes, file->bytes->size() / 5);
}

TEST(Reader, TellsMissingFromDamaged) {
  auto store = store::MakeMemoryStore();
  EXPECT_TRUE(Reader::Open(store, "absent").status().Is(ErrorClass::NOT_FOUND));
  ASSERT_TRUE(store->Put("bad", "PAR1 this is not a footer PAR1", store::If::kAbsent).ok());
  EXPECT_TRUE(Reader::Open(store, "bad").status().Is(ErrorClass::DATA_CORRUPT));
  auto file = Encode({{Longs({1, 2, 3}), Strings({"aaaaaaaaaaaaaaaaaaaa", "b", "c"})}});
  ASSERT_TRUE(file.ok());
  std::string bytes = file->bytes->ToString();
  for (size_t i = 8; i < 60; ++i) bytes[i] = static_cast<char>(0xff);
  ASSERT_TRUE(store->Put("torn", bytes, store::If::kAbsent).ok());
  auto reader = Reader::Open(store, "torn");
  ASSERT_TRUE(reader.ok());
  auto batch = (*reader)->Read(0, {arrow::field("c0", arrow::int64())});
  EXPECT_TRUE(batch.status().Is(ErrorClass::DATA_CORRUPT)) << batch.status().ToString();
}

}  // namespace
}  // namespace freshet::parquet
