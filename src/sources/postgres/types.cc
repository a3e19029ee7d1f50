// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/types.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/status.h"

namespace freshet::sources::postgres {
namespace {

/// The oids of built-in types never change. Source: PostgreSQL, src/include/catalog/pg_type.dat.
struct BuiltIn {
  uint32_t oid;
  Kind kind;
};
constexpr BuiltIn kBuiltIns[] = {
    {16, Kind::kBool},        {17, Kind::kBytea},         {18, Kind::kOther},
    {19, Kind::kText},        {20, Kind::kInt64},         {21, Kind::kInt16},
    {23, Kind::kInt32},       {25, Kind::kText},          {114, Kind::kText},
    {700, Kind::kFloat32},    {701, Kind::kFloat64},      {1042, Kind::kText},
    {1043, Kind::kText},      {1082, Kind::kDate},        {1083, Kind::kTime},
    {1114, Kind::kTimestamp}, {1184, Kind::kTimestampTz}, {1700, Kind::kNumeric},
    {2950, Kind::kUuid},      {3802, Kind::kJsonb},
};

Kind KindOf(uint32_t oid, char kind) {
  // An enum's binary form is its label.
  if (kind == 'e') return Kind::kText;
  for (const auto& built_in : kBuiltIns) {
    if (built_in.oid == oid) return built_in.kind;
  }
  return Kind::kOther;
}

/// numeric(p, s) as Delta takes it; none when it has no bound or more than 38 digits.
/// Source: PostgreSQL 15, src/backend/utils/adt/numeric.c, numeric_typmod_precision and
/// numeric_typmod_scale.
bool SetDecimal(int32_t modifier, ColumnType* type) {
  if (modifier < 4) return false;
  int32_t precision = ((modifier - 4) >> 16) & 0xFFFF;
  int32_t scale = (((modifier - 4) & 0x7FF) ^ 1024) - 1024;
  // A negative scale means zeros before the point, one above the precision means zeros after it.
  if (scale < 0) {
    precision -= scale;
    scale = 0;
  }
  precision = std::max(precision, scale);
  if (precision > 38) return false;
  type->precision = precision;
  type->scale = scale;
  return true;
}

}  // namespace

ColumnType TypeOf(const CatalogType& type) {
  ColumnType result;
  bool array = type.element_oid != 0;
  if (array && type.dimensions > 1) return result;
  Kind kind = array ? KindOf(type.element_oid, type.element_kind) : KindOf(type.oid, type.kind);
  if (kind == Kind::kOther) return result;
  if (kind == Kind::kNumeric && !SetDecimal(type.modifier, &result)) return result;
  result.kind = kind;
  result.array = array;
  return result;
}

std::shared_ptr<arrow::DataType> ArrowTypeOf(const ColumnType& type) {
  if (type.array) {
    ColumnType element = type;
    element.array = false;
    return arrow::list(ArrowTypeOf(element));
  }
  switch (type.kind) {
    case Kind::kBool:
      return arrow::boolean();
    case Kind::kInt16:
      return arrow::int16();
    case Kind::kInt32:
      return arrow::int32();
    case Kind::kInt64:
      return arrow::int64();
    case Kind::kFloat32:
      return arrow::float32();
    case Kind::kFloat64:
      return arrow::float64();
    case Kind::kNumeric:
      return arrow::decimal128(type.precision, type.scale);
    case Kind::kBytea:
      return arrow::binary();
    case Kind::kDate:
      return arrow::date32();
    case Kind::kTimestamp:
      return arrow::timestamp(arrow::TimeUnit::MICRO);
    case Kind::kTimestampTz:
      return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case Kind::kText:
    case Kind::kJsonb:
    case Kind::kTime:
    case Kind::kUuid:
    case Kind::kOther:
      return arrow::utf8();
  }
  return nullptr;
}

ColumnType TextTypeOf(const arrow::DataType& type) {
  ColumnType result;
  switch (type.id()) {
    case arrow::Type::LIST:
      result = TextTypeOf(*static_cast<const arrow::ListType&>(type).value_type());
      result.array = true;
      return result;
    case arrow::Type::BOOL:
      result.kind = Kind::kBool;
      break;
    case arrow::Type::INT16:
      result.kind = Kind::kInt16;
      break;
    case arrow::Type::INT32:
      result.kind = Kind::kInt32;
      break;
    case arrow::Type::INT64:
      result.kind = Kind::kInt64;
      break;
    case arrow::Type::FLOAT:
      result.kind = Kind::kFloat32;
      break;
    case arrow::Type::DOUBLE:
      result.kind = Kind::kFloat64;
      break;
    case arrow::Type::BINARY:
      result.kind = Kind::kBytea;
      break;
    case arrow::Type::DATE32:
      result.kind = Kind::kDate;
      break;
    case arrow::Type::STRING:
      result.kind = Kind::kText;
      break;
    case arrow::Type::TIMESTAMP:
      result.kind = static_cast<const arrow::TimestampType&>(type).timezone().empty()
                        ? Kind::kTimestamp
                        : Kind::kTimestampTz;
      break;
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
      result.kind = Kind::kNumeric;
      result.precision = decimal.precision();
      result.scale = decimal.scale();
      break;
    }
    default:
      FRESHET_ASSERT(false, "no column of this source has type {}", type.ToString());
  }
  return result;
}

std::string CopyExpression(const ColumnType& type, const std::string& quoted) {
  if (type.kind != Kind::kOther) return quoted;
  // Not a cast: casts to text differ from the type's own text form for some types (inet, xml,
  // "char"). IS NOT DISTINCT FROM NULL tests the value itself, where IS NULL would look into a
  // composite's fields.
  return fmt::format(
      "CASE WHEN {0} IS NOT DISTINCT FROM NULL THEN NULL ELSE pg_catalog.format('%s', {0}) END",
      quoted);
}

}  // namespace freshet::sources::postgres
