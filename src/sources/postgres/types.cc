// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/types.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/status.h"

namespace freshet::sources::postgres {
namespace {

/// The oids of built-in types never change. Source: PostgreSQL, src/include/catalog/pg_type.dat.
struct BuiltIn {
  uint32_t oid;
  Kind kind;
};
constexpr BuiltIn kBuiltIns[] = {
    {16, Kind::kBool},          {17, Kind::kBytea},     {19, Kind::kText},
    {20, Kind::kInt64},         {21, Kind::kInt16},     {23, Kind::kInt32},
    {25, Kind::kText},          {114, Kind::kText},     {700, Kind::kFloat32},
    {701, Kind::kFloat64},      {1042, Kind::kText},    {1043, Kind::kText},
    {1082, Kind::kDate},        {1083, Kind::kTime},    {1114, Kind::kTimestamp},
    {1184, Kind::kTimestampTz}, {1700, Kind::kNumeric}, {2950, Kind::kUuid},
    {3802, Kind::kJsonb},
};
constexpr uint32_t kBit = 1560, kVarbit = 1562;

/// Source: PostgreSQL, src/include/utils/array.h, MAXDIM.
constexpr int32_t kDimensionsMax = 6;
/// A composite beyond these is its text form: readers stumble over schemas that deep or wide.
constexpr int kDepthMax = 16;
constexpr size_t kFieldsMax = 1000;

const BuiltIn* FindBuiltIn(uint32_t oid) {
  const auto* found = std::find_if(std::begin(kBuiltIns), std::end(kBuiltIns),
                                   [oid](const BuiltIn& each) { return each.oid == oid; });
  return found == std::end(kBuiltIns) ? nullptr : found;
}

ColumnType Text() { return {.kind = Kind::kText, .as_text = true}; }

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

std::string Lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

/// Follows one column's type. Its limits are the whole column's.
class Resolver {
 public:
  Resolver(const TypeCatalog& catalog, TypeMapping mapping)
      : catalog_(catalog), mapping_(mapping) {}

  ColumnType Follow(TypeUse use, int depth) {
    auto found = catalog_.find(use.oid);
    for (; found != catalog_.end() && found->second.kind == 'd'; found = catalog_.find(use.oid)) {
      int32_t dimensions = std::max(use.dimensions, found->second.base.dimensions);
      use = found->second.base;
      use.dimensions = dimensions;
    }
    if (found == catalog_.end()) return Scalar(use, 'b');
    const CatalogType& type = found->second;
    bool nested = mapping_ != TypeMapping::kDatabricks && depth < kDepthMax;
    if (type.element != 0) return nested ? Array(type, use, depth) : Text();
    if (type.kind == 'c') return nested ? Struct(type, depth) : Text();
    if (type.hstore) return nested ? ColumnType{.kind = Kind::kMap, .as_text = true} : Text();
    return Scalar(use, type.kind);
  }

 private:
  ColumnType Scalar(const TypeUse& use, char kind) const {
    // An enum's binary form is its label.
    if (kind == 'e') return {.kind = Kind::kText};
    if (mapping_ == TypeMapping::kDatabricks && (use.oid == kBit || use.oid == kVarbit))
      return {.kind = Kind::kBytea, .as_text = true};
    const BuiltIn* built_in = FindBuiltIn(use.oid);
    if (built_in == nullptr) return Text();
    ColumnType type{.kind = built_in->kind};
    if (type.kind == Kind::kNumeric && !SetDecimal(use.modifier, &type)) return Text();
    if (type.kind == Kind::kTimestamp && mapping_ != TypeMapping::kLossless)
      type.kind = Kind::kTimestampTz;
    return type;
  }

  ColumnType Array(const CatalogType& array, const TypeUse& use, int depth) {
    int32_t dimensions = std::max(use.dimensions, 1);
    if (array.delimiter != ',' || dimensions > kDimensionsMax) return Text();
    ColumnType type = Follow({.oid = array.element, .modifier = use.modifier}, depth + dimensions);
    // An array of a domain that is an array would look like one of two dimensions.
    if (type.kind == Kind::kArray) return Text();
    bool binary = dimensions == 1 && !type.as_text;
    for (; dimensions > 0; --dimensions) {
      ColumnType outer{.kind = Kind::kArray, .as_text = !binary};
      outer.children.push_back(std::move(type));
      type = std::move(outer);
    }
    return type;
  }

  ColumnType Struct(const CatalogType& composite, int depth) {
    ColumnType type{.kind = Kind::kStruct, .as_text = true};
    std::set<std::string> names;
    for (const auto& field : composite.fields) {
      if (++fields_ > kFieldsMax || !names.insert(Lower(field.name)).second) return Text();
      type.names.push_back(field.name);
      type.children.push_back(Follow(field.type, depth + 1));
    }
    return type.children.empty() ? Text() : type;
  }

  const TypeCatalog& catalog_;
  const TypeMapping mapping_;
  size_t fields_ = 0;
};

}  // namespace

bool IsBuiltIn(uint32_t oid) { return FindBuiltIn(oid) != nullptr; }

ColumnType Resolve(const TypeCatalog& catalog, const TypeUse& use, TypeMapping mapping) {
  return Resolver(catalog, mapping).Follow(use, 0);
}

bool HasDefault(const TypeCatalog& catalog, uint32_t oid) {
  for (auto found = catalog.find(oid); found != catalog.end() && found->second.kind == 'd';
       found = catalog.find(found->second.base.oid)) {
    if (found->second.has_default) return true;
  }
  return false;
}

uint32_t BaseOf(const TypeCatalog& catalog, uint32_t oid) {
  for (auto found = catalog.find(oid); found != catalog.end() && found->second.kind == 'd';
       found = catalog.find(oid)) {
    oid = found->second.base.oid;
  }
  return oid;
}

std::shared_ptr<arrow::DataType> ArrowTypeOf(const ColumnType& type) {
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
      return arrow::utf8();
    case Kind::kArray:
      return arrow::list(ArrowTypeOf(type.children[0]));
    case Kind::kMap:
      return arrow::map(arrow::utf8(), arrow::utf8());
    case Kind::kStruct: {
      arrow::FieldVector fields;
      for (size_t i = 0; i < type.children.size(); ++i)
        fields.push_back(arrow::field(type.names[i], ArrowTypeOf(type.children[i])));
      return arrow::struct_(std::move(fields));
    }
  }
  return nullptr;
}

ColumnType TextTypeOf(const arrow::DataType& type) {
  ColumnType result{.as_text = true};
  for (const auto& field : type.fields()) {
    if (type.id() == arrow::Type::MAP) break;
    result.children.push_back(TextTypeOf(*field->type()));
    if (type.id() == arrow::Type::STRUCT) result.names.push_back(field->name());
  }
  static const std::map<arrow::Type::type, Kind> kKinds = {
      {arrow::Type::BOOL, Kind::kBool},          {arrow::Type::INT16, Kind::kInt16},
      {arrow::Type::INT32, Kind::kInt32},        {arrow::Type::INT64, Kind::kInt64},
      {arrow::Type::FLOAT, Kind::kFloat32},      {arrow::Type::DOUBLE, Kind::kFloat64},
      {arrow::Type::BINARY, Kind::kBytea},       {arrow::Type::DATE32, Kind::kDate},
      {arrow::Type::STRING, Kind::kText},        {arrow::Type::TIMESTAMP, Kind::kTimestamp},
      {arrow::Type::DECIMAL128, Kind::kNumeric}, {arrow::Type::LIST, Kind::kArray},
      {arrow::Type::STRUCT, Kind::kStruct},      {arrow::Type::MAP, Kind::kMap},
  };
  auto found = kKinds.find(type.id());
  FRESHET_ASSERT(found != kKinds.end(), "no column of this source has type {}", type.ToString());
  result.kind = found->second;
  if (result.kind == Kind::kTimestamp &&
      !static_cast<const arrow::TimestampType&>(type).timezone().empty()) {
    result.kind = Kind::kTimestampTz;
  }
  if (result.kind == Kind::kNumeric) {
    const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
    result.precision = decimal.precision();
    result.scale = decimal.scale();
  }
  return result;
}

int32_t DimensionsOf(const arrow::DataType& type) {
  if (type.id() != arrow::Type::LIST) return 0;
  return 1 + DimensionsOf(*static_cast<const arrow::ListType&>(type).value_type());
}

bool HasFields(const arrow::DataType& type) {
  if (type.id() == arrow::Type::STRUCT) return true;
  return type.id() == arrow::Type::LIST &&
         HasFields(*static_cast<const arrow::ListType&>(type).value_type());
}

}  // namespace freshet::sources::postgres
