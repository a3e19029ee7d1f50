// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/type.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace freshet::sources::postgres {

/// How a value is written on the wire; TYPES.md is the list a reader sees.
enum class Kind : uint8_t {
  kBool,
  kInt16,
  kInt32,
  kInt64,
  kFloat32,
  kFloat64,
  kNumeric,
  kText,
  kJsonb,
  kBytea,
  kDate,
  kTime,
  kTimestamp,
  kTimestampTz,
  kUuid,
  /// Anything else: the type's own text form.
  kOther
};

/// What a column's values are and how they are read.
struct ColumnType {
  Kind kind = Kind::kOther;
  bool array = false;
  /// Of kNumeric, as Delta takes them: 1 <= precision <= 38, 0 <= scale <= precision.
  int32_t precision = 0;
  int32_t scale = 0;

  bool operator==(const ColumnType&) const = default;
};

/// A type as the catalog has it, domains already resolved to their base.
struct CatalogType {
  uint32_t oid = 0;
  /// pg_type.typtype: b base, e enum, c composite, r range …
  char kind = 'b';
  int32_t modifier = -1;
  /// Dimensions as declared; more than one makes the array text.
  int32_t dimensions = 0;
  /// Of an array: the element's base type; 0 otherwise.
  uint32_t element_oid = 0;
  char element_kind = 'b';
};

ColumnType TypeOf(const CatalogType& type);
std::shared_ptr<arrow::DataType> ArrowTypeOf(const ColumnType& type);
/// The decoder of a column's text, which depends on the destination's type alone.
/// REQUIRES: `type` is one that ArrowTypeOf returns.
ColumnType TextTypeOf(const arrow::DataType& type);

/// Return the SELECT expression whose binary form the decoder of this type reads. `quoted` is the
/// quoted column name.
std::string CopyExpression(const ColumnType& type, const std::string& quoted);

}  // namespace freshet::sources::postgres
