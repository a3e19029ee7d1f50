// SPDX-License-Identifier: Apache-2.0
#include "apply/key_hash.h"

#include <arrow/array/array_nested.h>
#include <arrow/array/array_primitive.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace freshet::apply {
namespace {

static_assert(std::endian::native == std::endian::little, "canonical bytes are little-endian");

/// What leads a value, so that no two kinds share bytes. Part of the format.
enum class Tag : char {
  kNull = 0,
  kFalse = 1,
  kTrue = 2,
  kInteger = 3,
  kFloat = 4,
  kString = 5,
  kBinary = 6,
  kDate = 7,
  kTimestamp = 8,
  kDecimal = 9,
  kList = 10,
  kStruct = 11,
  kMap = 12
};

void Put(Tag tag, std::string* out) { out->push_back(static_cast<char>(tag)); }

template <typename T>
void PutRaw(T value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void PutInteger(Tag tag, int64_t value, std::string* out) {
  Put(tag, out);
  PutRaw(value, out);
}

void PutFloat(double value, std::string* out) {
  Put(Tag::kFloat, out);
  PutRaw(std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value, out);
}

void PutText(Tag tag, std::string_view value, std::string* out) {
  Put(tag, out);
  PutRaw(static_cast<uint64_t>(value.size()), out);
  out->append(value);
}

template <typename A>
auto At(const arrow::Array& array, int64_t row) {
  return static_cast<const A&>(array).Value(row);
}

void PutValue(const arrow::Array& array, int64_t row, std::string* out);

void PutList(const arrow::ListArray& array, int64_t row, std::string* out) {
  Put(Tag::kList, out);
  PutRaw(static_cast<uint64_t>(array.value_length(row)), out);
  int64_t first = array.value_offset(row);
  for (int64_t i = 0; i < array.value_length(row); ++i) PutValue(*array.values(), first + i, out);
}

void PutStruct(const arrow::StructArray& array, int64_t row, std::string* out) {
  Put(Tag::kStruct, out);
  PutRaw(static_cast<uint64_t>(array.num_fields()), out);
  for (int i = 0; i < array.num_fields(); ++i) PutValue(*array.field(i), row, out);
}

/// Entries in their order, which files keep.
void PutMap(const arrow::MapArray& array, int64_t row, std::string* out) {
  Put(Tag::kMap, out);
  PutRaw(static_cast<uint64_t>(array.value_length(row)), out);
  int64_t first = array.value_offset(row);
  for (int64_t i = 0; i < array.value_length(row); ++i) {
    PutValue(*array.keys(), first + i, out);
    PutValue(*array.items(), first + i, out);
  }
}

void PutValue(const arrow::Array& array, int64_t row, std::string* out) {
  if (array.IsNull(row)) return Put(Tag::kNull, out);
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return Put(At<arrow::BooleanArray>(array, row) ? Tag::kTrue : Tag::kFalse, out);
    case arrow::Type::INT8:
      return PutInteger(Tag::kInteger, At<arrow::Int8Array>(array, row), out);
    case arrow::Type::INT16:
      return PutInteger(Tag::kInteger, At<arrow::Int16Array>(array, row), out);
    case arrow::Type::INT32:
      return PutInteger(Tag::kInteger, At<arrow::Int32Array>(array, row), out);
    case arrow::Type::INT64:
      return PutInteger(Tag::kInteger, At<arrow::Int64Array>(array, row), out);
    case arrow::Type::FLOAT:
      return PutFloat(static_cast<double>(At<arrow::FloatArray>(array, row)), out);
    case arrow::Type::DOUBLE:
      return PutFloat(At<arrow::DoubleArray>(array, row), out);
    case arrow::Type::STRING:
      return PutText(Tag::kString, static_cast<const arrow::StringArray&>(array).GetView(row), out);
    case arrow::Type::BINARY:
      return PutText(Tag::kBinary, static_cast<const arrow::BinaryArray&>(array).GetView(row), out);
    case arrow::Type::DATE32:
      return PutInteger(Tag::kDate, At<arrow::Date32Array>(array, row), out);
    case arrow::Type::TIMESTAMP:
      return PutInteger(Tag::kTimestamp, At<arrow::TimestampArray>(array, row), out);
    case arrow::Type::DECIMAL128: {
      Put(Tag::kDecimal, out);
      const auto* raw = static_cast<const arrow::FixedSizeBinaryArray&>(array).GetValue(row);
      out->append(reinterpret_cast<const char*>(raw), 16);
      return;
    }
    case arrow::Type::LIST:
      return PutList(static_cast<const arrow::ListArray&>(array), row, out);
    case arrow::Type::STRUCT:
      return PutStruct(static_cast<const arrow::StructArray&>(array), row, out);
    case arrow::Type::MAP:
      return PutMap(static_cast<const arrow::MapArray&>(array), row, out);
    default:
      FRESHET_ASSERT(false, "type {} has no canonical bytes", array.type()->ToString());
  }
}

KeyHash HashOf(const std::string& bytes) {
  XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), kKeyHashSeed);
  return {hash.high64, hash.low64};
}

}  // namespace

std::vector<KeyHash> HashKeys(const arrow::ArrayVector& columns, int64_t rows) {
  std::vector<KeyHash> hashes;
  hashes.reserve(static_cast<size_t>(rows));
  std::string bytes;
  for (int64_t row = 0; row < rows; ++row) {
    bytes.clear();
    for (const auto& column : columns) PutValue(*column, row, &bytes);
    hashes.push_back(HashOf(bytes));
  }
  return hashes;
}

std::vector<KeyHash> HashContents(const arrow::ArrayVector& columns,
                                  const std::vector<record::ColumnId>& ids, int64_t rows) {
  FRESHET_ASSERT(columns.size() == ids.size());
  std::vector<size_t> order(columns.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return ids[a] < ids[b]; });
  std::vector<KeyHash> hashes;
  hashes.reserve(static_cast<size_t>(rows));
  std::string bytes;
  for (int64_t row = 0; row < rows; ++row) {
    bytes.clear();
    for (size_t i : order) {
      if (columns[i]->IsNull(row)) continue;
      PutRaw(ids[i].value(), &bytes);
      PutValue(*columns[i], row, &bytes);
    }
    hashes.push_back(HashOf(bytes));
  }
  return hashes;
}

uint64_t HashPath(std::string_view path) {
  return XXH3_64bits_withSeed(path.data(), path.size(), kKeyHashSeed);
}

}  // namespace freshet::apply
