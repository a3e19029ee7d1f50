// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/type.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sources/postgres/config.h"

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
  /// Text as it is: of textual types in both forms, of all others their text form.
  kText,
  kJsonb,
  /// Bytes; in text also bits, which are packed from the left.
  kBytea,
  kDate,
  kTime,
  kTimestamp,
  kTimestampTz,
  kUuid,
  /// One child: the element. An array of n dimensions is n of these within each other.
  kArray,
  /// One child a field.
  kStruct,
  /// hstore: text by text.
  kMap
};

/// What a column's values are and how they are read.
struct ColumnType {
  Kind kind = Kind::kText;
  /// The snapshot asks for the text form too: the binary one is not read, or there is none.
  bool as_text = false;
  /// Of kNumeric, as Delta takes them: 1 <= precision <= 38, 0 <= scale <= precision.
  int32_t precision = 0;
  int32_t scale = 0;
  std::vector<ColumnType> children = {};
  /// Of kStruct: its fields' names.
  std::vector<std::string> names = {};

  bool operator==(const ColumnType&) const = default;
};

/// Where a type is used: by a column, a domain, a field of a composite.
struct TypeUse {
  uint32_t oid = 0;
  int32_t modifier = -1;
  /// As declared; the server does not hold an array's values to it.
  int32_t dimensions = 0;
};

/// A type as the catalog has it.
struct CatalogType {
  /// pg_type.typtype: b base, d domain, e enum, c composite, r range …
  char kind = 'b';
  /// Of a domain.
  TypeUse base;
  bool has_default = false;
  /// Of an array: the element's type; 0 otherwise. The delimiter is the element's.
  uint32_t element = 0;
  char delimiter = ',';
  bool hstore = false;
  struct Field {
    std::string name;
    TypeUse type;
  };
  /// Of a composite.
  std::vector<Field> fields;
};
/// By oid; built-in types that are neither arrays nor composites may be left out.
using TypeCatalog = std::map<uint32_t, CatalogType>;

/// Whether the type is one whose oid says all there is to know.
bool IsBuiltIn(uint32_t oid);
/// Follow domains to their base, arrays to their elements, composites to their fields.
ColumnType Resolve(const TypeCatalog& catalog, const TypeUse& use, TypeMapping mapping);
/// Whether a domain along the way gives new rows a value.
bool HasDefault(const TypeCatalog& catalog, uint32_t oid);

/// The type that a domain is of in the end; any other is itself.
uint32_t BaseOf(const TypeCatalog& catalog, uint32_t oid);

std::shared_ptr<arrow::DataType> ArrowTypeOf(const ColumnType& type);
/// The decoder of a column's text, which depends on the destination's type alone.
/// REQUIRES: `type` is one that ArrowTypeOf returns.
ColumnType TextTypeOf(const arrow::DataType& type);
/// How many lists lie within each other.
int32_t DimensionsOf(const arrow::DataType& type);
/// Whether values have fields: those of a composite.
bool HasFields(const arrow::DataType& type);

}  // namespace freshet::sources::postgres
