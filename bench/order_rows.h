// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <array>
#include <memory>
#include <string>

namespace freshet::bench {

template <typename Builder, typename Make>
std::shared_ptr<arrow::Array> Column(std::shared_ptr<arrow::DataType> type, int64_t first,
                                     int64_t rows, Make make) {
  Builder builder(std::move(type), arrow::default_memory_pool());
  for (int64_t i = first; i < first + rows; ++i) {
    if (!builder.Append(make(i)).ok()) std::abort();
  }
  return builder.Finish().ValueOrDie();
}

/// The rows of bench/postgres_road.py's table: 17 columns, about 225 bytes.
inline std::shared_ptr<arrow::RecordBatch> OrderRows(int64_t first, int64_t rows) {
  using arrow::field;
  auto utc = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  auto ntz = arrow::timestamp(arrow::TimeUnit::MICRO);
  auto number = [&](std::shared_ptr<arrow::DataType> type, int64_t times, int64_t modulo) {
    return Column<arrow::Decimal128Builder>(std::move(type), first, rows, [=](int64_t i) {
      return arrow::Decimal128(i * times % modulo);
    });
  };
  auto text = [&](auto make) {
    return Column<arrow::StringBuilder>(arrow::utf8(), first, rows, make);
  };
  auto hex = [](int64_t i) {
    uint64_t x = static_cast<uint64_t>(i) * 0x9E3779B97F4A7C15ULL;
    return fmt::format("{:016x}{:016x}", x, x ^ (x >> 29) * 0xBF58476D1CE4E5B9ULL);
  };
  static constexpr std::array<const char*, 5> kStatus{"new", "paid", "packed", "shipped",
                                                      "returned"};
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  auto add = [&](const char* name, std::shared_ptr<arrow::Array> column) {
    fields.push_back(field(name, column->type()));
    columns.push_back(std::move(column));
  };
  add("id", Column<arrow::Int64Builder>(arrow::int64(), first, rows, [](int64_t i) { return i; }));
  add("customer_id", Column<arrow::Int32Builder>(arrow::int32(), first, rows, [](int64_t i) {
        return static_cast<int32_t>(i * 7919 % 200000);
      }));
  add("store_id", Column<arrow::Int16Builder>(arrow::int16(), first, rows, [](int64_t i) {
        return static_cast<int16_t>(i % 300);
      }));
  add("placed_at", Column<arrow::TimestampBuilder>(utc, first, rows, [](int64_t i) {
        return 1704067200000000 + i * 13000000;
      }));
  add("ship_on", Column<arrow::Date32Builder>(arrow::date32(), first, rows, [](int64_t i) {
        return static_cast<int32_t>(19724 + i % 700);
      }));
  add("status", text([](int64_t i) { return std::string(kStatus[static_cast<size_t>(i % 5)]); }));
  add("total", number(arrow::decimal128(12, 2), 37, 1000000));
  add("tax", number(arrow::decimal128(10, 4), 11, 100000));
  add("discount", Column<arrow::DoubleBuilder>(arrow::float64(), first, rows, [](int64_t i) {
        return static_cast<double>(i % 100) / 7;
      }));
  add("weight", Column<arrow::FloatBuilder>(arrow::float32(), first, rows, [](int64_t i) {
        return static_cast<float>(i % 1000) / 3;
      }));
  add("gift", Column<arrow::BooleanBuilder>(arrow::boolean(), first, rows,
                                            [](int64_t i) { return i % 9 == 0; }));
  add("email",
      text([](int64_t i) { return fmt::format("customer{}@example.org", i * 7919 % 200000); }));
  add("address",
      text([](int64_t i) { return fmt::format("{} Some Street, Town {}", i % 999, i % 5000); }));
  add("reference", text(hex));
  add("note", text([&](int64_t i) { return i % 4 == 0 ? std::string() : "note " + hex(i / 3); }));
  add("updated_at", Column<arrow::TimestampBuilder>(ntz, first, rows, [](int64_t i) {
        return 1704067200000000 + i * 17000000;
      }));
  add("payload",
      text([](int64_t i) { return fmt::format("{{\"k\": {}, \"source\": \"web\"}}", i % 1000); }));
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), rows, std::move(columns));
}

}  // namespace freshet::bench
