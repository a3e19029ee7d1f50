// SPDX-License-Identifier: Apache-2.0
#include "parquet/file_statistics.h"

#include <arrow/util/decimal.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/statistics.h>

#include <cmath>
#include <cstring>

#include "base/limits.h"

namespace freshet::parquet {
namespace {

using Value = std::variant<bool, int64_t, double, std::string, arrow::Decimal128>;

template <typename T>
std::optional<T> Plain(const std::string& bytes) {
  if (bytes.size() != sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

std::optional<int64_t> Integer(::parquet::Type::type physical, const std::string& bytes) {
  if (physical == ::parquet::Type::INT32) {
    auto value = Plain<int32_t>(bytes);
    return value ? std::optional<int64_t>(*value) : std::nullopt;
  }
  return physical == ::parquet::Type::INT64 ? Plain<int64_t>(bytes) : std::nullopt;
}

std::optional<Value> Decimal(::parquet::Type::type physical, const std::string& bytes) {
  if (auto integer = Integer(physical, bytes)) return arrow::Decimal128(*integer);
  if (physical != ::parquet::Type::FIXED_LEN_BYTE_ARRAY && physical != ::parquet::Type::BYTE_ARRAY)
    return std::nullopt;
  auto value = arrow::Decimal128::FromBigEndian(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int32_t>(bytes.size()));
  if (!value.ok()) return std::nullopt;
  return *value;
}

/// Decode a plain-encoded bound. Source: Parquet format, "Statistics" (bounds of byte arrays have
/// no length prefix).
std::optional<Value> Decode(const arrow::DataType& type, ::parquet::Type::type physical,
                            const std::string& bytes) {
  switch (type.id()) {
    case arrow::Type::BOOL:
      if (bytes.size() != 1) return std::nullopt;
      return bytes[0] != 0;
    case arrow::Type::TIMESTAMP:
      if (static_cast<const arrow::TimestampType&>(type).unit() != arrow::TimeUnit::MICRO)
        return std::nullopt;
      [[fallthrough]];
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::DATE32:
      if (auto value = Integer(physical, bytes)) return *value;
      return std::nullopt;
    case arrow::Type::FLOAT:
      if (auto value = Plain<float>(bytes)) return static_cast<double>(*value);
      return std::nullopt;
    case arrow::Type::DOUBLE:
      if (auto value = Plain<double>(bytes)) return *value;
      return std::nullopt;
    case arrow::Type::DECIMAL128:
      return Decimal(physical, bytes);
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return bytes;
    default:
      return std::nullopt;
  }
}

StatValue Public(const Value& value, const arrow::DataType& type) {
  if (const auto* decimal = std::get_if<arrow::Decimal128>(&value)) {
    if (static_cast<const arrow::Decimal128Type&>(type).precision() <= 18)
      return static_cast<int64_t>(decimal->low_bits());
    return decimal->ToIntegerString();
  }
  return std::visit(
      [](const auto& v) -> StatValue {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, arrow::Decimal128>) {
          return int64_t{0};
        } else {
          return v;
        }
      },
      value);
}

/// What is known of one bound as row groups are added: a group with values but without a bound
/// loses it for the file.
class Bound {
 public:
  explicit Bound(bool largest) : largest_(largest) {}
  void Lose() { lost_ = true; }
  void Add(const std::optional<Value>& value) {
    if (!value) return Lose();
    if (!value_ || (largest_ ? *value_ < *value : *value < *value_)) value_ = value;
  }
  std::optional<StatValue> Result(const arrow::DataType& type) const {
    if (lost_ || !value_) return std::nullopt;
    return Public(*value_, type);
  }

 private:
  bool largest_, lost_ = false;
  std::optional<Value> value_;
};

bool IsFloating(const arrow::DataType& type) {
  return type.id() == arrow::Type::FLOAT || type.id() == arrow::Type::DOUBLE;
}
bool IsText(const arrow::DataType& type) {
  return type.id() == arrow::Type::STRING || type.id() == arrow::Type::BINARY;
}

struct Origin {
  bool ours = false;
  std::set<int> nan_columns;
};

Origin OriginOf(const ::parquet::FileMetaData& metadata) {
  Origin origin;
  const auto& pairs = metadata.key_value_metadata();
  if (pairs == nullptr) return origin;
  auto found = pairs->Get(kNanColumnsKey);
  if (!found.ok()) return origin;
  origin.ours = true;
  int ordinal = -1;
  for (char c : *found + ",") {
    if (c >= '0' && c <= '9') {
      ordinal = std::max(ordinal, 0) * 10 + (c - '0');
    } else if (ordinal >= 0) {
      origin.nan_columns.insert(std::exchange(ordinal, -1));
    }
  }
  return origin;
}

ColumnStatistics ColumnOf(const ::parquet::FileMetaData& metadata,
                          const ::parquet::arrow::SchemaField& field, int ordinal,
                          const Origin& origin) {
  ColumnStatistics column{.name = field.field->name(),
                          .type = field.field->type(),
                          .null_count = {},
                          .min = {},
                          .max = {}};
  if (!field.is_leaf()) return column;
  const auto physical = metadata.schema()->Column(field.column_index)->physical_type();
  Bound min(false), max(true);
  int64_t nulls = 0;
  bool nulls_known = true;
  for (int group = 0; group < metadata.num_row_groups(); ++group) {
    auto chunk = metadata.RowGroup(group)->ColumnChunk(field.column_index);
    auto statistics = chunk->is_stats_set() ? chunk->encoded_statistics() : nullptr;
    if (statistics == nullptr || !statistics->has_null_count) nulls_known = false;
    if (nulls_known) nulls += statistics->null_count;
    if (nulls_known && statistics->null_count == chunk->num_values()) continue;
    auto usable = [&](bool has, const std::optional<bool>& exact, const std::string& bytes) {
      return has && bytes.size() <= limits::kStatisticsBytesMax &&
             (origin.ours || !IsText(*column.type) || exact.value_or(false));
    };
    if (statistics == nullptr ||
        !usable(statistics->has_min, statistics->is_min_value_exact, statistics->min())) {
      min.Lose();
    } else {
      min.Add(Decode(*column.type, physical, statistics->min()));
    }
    if (statistics == nullptr ||
        !usable(statistics->has_max, statistics->is_max_value_exact, statistics->max())) {
      max.Lose();
    } else {
      max.Add(Decode(*column.type, physical, statistics->max()));
    }
  }
  if (nulls_known) column.null_count = nulls;
  if (IsFloating(*column.type) && (!origin.ours || origin.nan_columns.contains(ordinal)))
    return column;
  column.min = min.Result(*column.type);
  column.max = max.Result(*column.type);
  return column;
}

}  // namespace

FileStatistics StatisticsOf(const ::parquet::FileMetaData& metadata,
                            const ::parquet::arrow::SchemaManifest& manifest) {
  FileStatistics statistics;
  statistics.rows = metadata.num_rows();
  const Origin origin = OriginOf(metadata);
  int ordinal = 0;
  for (const auto& field : manifest.schema_fields)
    statistics.columns.push_back(ColumnOf(metadata, field, ordinal++, origin));
  return statistics;
}

}  // namespace freshet::parquet
