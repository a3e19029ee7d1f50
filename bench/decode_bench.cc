// SPDX-License-Identifier: Apache-2.0
// How fast do PostgreSQL's bytes become Arrow on one core? Rows of bench/postgres_road.py's table
// as binary COPY sends them, and as pgoutput sends them as text; 17 columns, about 240 bytes.
// Beside them the same bytes copied.
#include <benchmark/benchmark.h>

#include <arrow/builder.h>
#include <arrow/util/decimal.h>

#include <cstring>

#include "order_rows.h"
#include "sources/postgres/copy.h"
#include "sources/postgres/decode.h"
#include "sources/postgres/table_changes.h"

namespace freshet::sources::postgres {
namespace {

constexpr int64_t kRows = 35'000;  // a batch of 8 MiB
constexpr int64_t kServerEpochDays = 10'957;
constexpr int64_t kServerEpochMicros = kServerEpochDays * 86'400'000'000;

const std::vector<ColumnType>& Types() {
  static const std::vector<ColumnType> kTypes = {
      {.kind = Kind::kInt64},
      {.kind = Kind::kInt32},
      {.kind = Kind::kInt16},
      {.kind = Kind::kTimestampTz},
      {.kind = Kind::kDate},
      {.kind = Kind::kText},
      {.kind = Kind::kNumeric, .precision = 12, .scale = 2},
      {.kind = Kind::kNumeric, .precision = 10, .scale = 4},
      {.kind = Kind::kFloat64},
      {.kind = Kind::kFloat32},
      {.kind = Kind::kBool},
      {.kind = Kind::kText},
      {.kind = Kind::kText},
      {.kind = Kind::kUuid},
      {.kind = Kind::kText},
      {.kind = Kind::kTimestamp},
      {.kind = Kind::kJsonb}};
  return kTypes;
}

template <typename T>
void PutBigEndian(T value, std::string* out) {
  for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8)
    out->push_back(static_cast<char>(static_cast<uint64_t>(value) >> shift & 0xFF));
}

template <typename A>
auto At(const arrow::Array& array, int64_t row) {
  return static_cast<const A&>(array).Value(row);
}

/// Digit groups of 10000 around the point. Source: PostgreSQL 15, numeric_send.
std::string NumericBytes(int64_t unscaled, int scale) {
  const int64_t power = scale == 2 ? 100 : 10'000;
  std::vector<int> groups;
  int weight = -1;
  for (int64_t whole = unscaled / power; whole > 0; whole /= 10'000) {
    groups.insert(groups.begin(), static_cast<int>(whole % 10'000));
    ++weight;
  }
  groups.push_back(static_cast<int>(unscaled % power * (10'000 / power)));
  while (!groups.empty() && groups.back() == 0) groups.pop_back();
  std::string bytes;
  PutBigEndian(static_cast<int16_t>(groups.size()), &bytes);
  PutBigEndian(static_cast<int16_t>(weight), &bytes);
  PutBigEndian(int16_t{0}, &bytes);
  PutBigEndian(static_cast<int16_t>(scale), &bytes);
  for (int group : groups) PutBigEndian(static_cast<int16_t>(group), &bytes);
  return bytes;
}

std::string UnhexPairs(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

std::string BinaryOf(const ColumnType& type, const arrow::Array& array, int64_t row) {
  std::string bytes;
  switch (type.kind) {
    case Kind::kInt64:
      PutBigEndian(At<arrow::Int64Array>(array, row), &bytes);
      break;
    case Kind::kInt32:
      PutBigEndian(At<arrow::Int32Array>(array, row), &bytes);
      break;
    case Kind::kInt16:
      PutBigEndian(At<arrow::Int16Array>(array, row), &bytes);
      break;
    case Kind::kTimestamp:
    case Kind::kTimestampTz:
      PutBigEndian(At<arrow::TimestampArray>(array, row) - kServerEpochMicros, &bytes);
      break;
    case Kind::kDate:
      PutBigEndian(static_cast<int32_t>(At<arrow::Date32Array>(array, row) - kServerEpochDays),
                   &bytes);
      break;
    case Kind::kNumeric: {
      const auto* raw = static_cast<const arrow::Decimal128Array&>(array).GetValue(row);
      return NumericBytes(static_cast<int64_t>(arrow::Decimal128(raw).low_bits()), type.scale);
    }
    case Kind::kFloat64:
      PutBigEndian(std::bit_cast<uint64_t>(At<arrow::DoubleArray>(array, row)), &bytes);
      break;
    case Kind::kFloat32:
      PutBigEndian(std::bit_cast<uint32_t>(At<arrow::FloatArray>(array, row)), &bytes);
      break;
    case Kind::kBool:
      bytes += At<arrow::BooleanArray>(array, row) ? '\1' : '\0';
      break;
    case Kind::kUuid:
      return UnhexPairs(static_cast<const arrow::StringArray&>(array).GetView(row));
    case Kind::kJsonb:
      bytes = '\1';
      [[fallthrough]];
    default:
      bytes += static_cast<const arrow::StringArray&>(array).GetView(row);
  }
  return bytes;
}

std::string TextOf(const ColumnType& type, const arrow::Array& array, int64_t row) {
  auto text = array.GetScalar(row).ValueOrDie()->ToString();
  if (type.kind == Kind::kBool) return text.substr(0, 1);
  if (type.kind == Kind::kTimestamp) return text.substr(0, 26);
  if (type.kind == Kind::kTimestampTz) return text.substr(0, 26) + "+00";
  return text;
}

/// One message a row, as libpq hands them out.
const std::vector<std::string>& CopyMessages() {
  static const auto kMessages = [] {
    auto rows = bench::OrderRows(1, kRows);
    std::vector<std::string> messages;
    for (int64_t row = 0; row < kRows; ++row) {
      std::string message;
      PutBigEndian(static_cast<int16_t>(Types().size()), &message);
      for (size_t i = 0; i < Types().size(); ++i) {
        auto bytes = BinaryOf(Types()[i], *rows->column(static_cast<int>(i)), row);
        PutBigEndian(static_cast<int32_t>(bytes.size()), &message);
        message += bytes;
      }
      messages.push_back(std::move(message));
    }
    return messages;
  }();
  return kMessages;
}

/// The bodies of update messages without an old row.
const std::vector<std::string>& UpdateBodies() {
  static const auto kBodies = [] {
    auto rows = bench::OrderRows(1, kRows);
    std::vector<std::string> bodies;
    for (int64_t row = 0; row < kRows; ++row) {
      std::string body;
      PutBigEndian(int32_t{1}, &body);
      body += 'N';
      PutBigEndian(static_cast<int16_t>(Types().size()), &body);
      for (size_t i = 0; i < Types().size(); ++i) {
        auto text = TextOf(Types()[i], *rows->column(static_cast<int>(i)), row);
        body += 't';
        PutBigEndian(static_cast<int32_t>(text.size()), &body);
        body += text;
      }
      bodies.push_back(std::move(body));
    }
    return bodies;
  }();
  return kBodies;
}

std::shared_ptr<arrow::Schema> OrderSchema() {
  arrow::FieldVector fields;
  auto names = bench::OrderRows(0, 1)->schema()->field_names();
  for (size_t i = 0; i < Types().size(); ++i)
    fields.push_back(arrow::field(names[i], ArrowTypeOf(Types()[i])));
  return arrow::schema(fields);
}

void Must(const Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "{}\n", status.ToString());
  std::abort();
}

void Copy(benchmark::State& state) {
  const auto& messages = CopyMessages();
  CopyDecoder decoder(OrderSchema(), Types(), CopyFormat::kBinary);
  std::string header("PGCOPY\n\377\r\n\0", 11);
  header.append(8, '\0');
  Must(decoder.Take(header));
  for (auto _ : state) {
    for (const auto& message : messages) Must(decoder.Take(message));
    auto batch = decoder.Finish();
    Must(batch.status());
    benchmark::DoNotOptimize(batch);
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(Copy)->Unit(benchmark::kMillisecond);

/// The same rows through the decoder of single values, row by row.
void CopyByValue(benchmark::State& state) {
  const auto& messages = CopyMessages();
  std::vector<ColumnDecoder> columns;
  for (const auto& type : Types()) columns.emplace_back(type);
  for (auto _ : state) {
    int64_t rows = 0;
    for (const auto& message : messages) {
      for (auto& column : columns) {
        if (rows % 4096 == 0 && !column.Reserve(4096).ok()) std::abort();
      }
      ++rows;
      const char* at = message.data() + 2;
      for (auto& column : columns) {
        auto length = LoadBigEndian<int32_t>(at);
        at += 4;
        if (!column.AppendBinary({at, static_cast<size_t>(length)})) std::abort();
        at += length;
      }
    }
    for (auto& column : columns) benchmark::DoNotOptimize(column.Finish());
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(CopyByValue)->Unit(benchmark::kMillisecond);

void Updates(benchmark::State& state) {
  const auto& bodies = UpdateBodies();
  auto shape = std::make_shared<record::TableShape>();
  shape->schema = OrderSchema();
  shape->key = {0};
  std::vector<int> ordinals;
  for (int i = 0; i < shape->width(); ++i) {
    shape->ids.emplace_back(i + 1);
    ordinals.push_back(i);
  }
  TableChanges changes(shape, ordinals, /*whole_old_rows=*/false);
  RowMessage row;
  const auto sequence = record::Sequence::Of(1, 1, 1);
  for (auto _ : state) {
    for (const auto& body : bodies) {
      if (!ParseRow('U', body, &row)) std::abort();
      Must(changes.Add('U', row, {sequence, sequence, 0}));
    }
    auto batch = changes.Finish();
    Must(batch.status());
    benchmark::DoNotOptimize(batch);
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(Updates)->Unit(benchmark::kMillisecond);

void CopyBytes(benchmark::State& state) {
  const auto& messages = CopyMessages();
  std::string to;
  for (auto _ : state) {
    to.clear();
    for (const auto& message : messages) to += message;
    benchmark::DoNotOptimize(to.data());
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(CopyBytes)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace freshet::sources::postgres
