// SPDX-License-Identifier: Apache-2.0
#include "record/widening.h"

namespace freshet::record {
namespace {

using arrow::Type;

/// Of integers, by their size; 0: it is none.
int SizeOf(const arrow::DataType& type) {
  switch (type.id()) {
    case Type::INT8:
      return 1;
    case Type::INT16:
      return 2;
    case Type::INT32:
      return 4;
    case Type::INT64:
      return 8;
    default:
      return 0;
  }
}

bool IsLocalTime(const arrow::DataType& type) {
  return type.id() == Type::TIMESTAMP &&
         static_cast<const arrow::TimestampType&>(type).timezone().empty();
}

/// Whether a decimal has room for so many digits before its point, and for the other's behind it.
bool HasRoom(const arrow::Decimal128Type& decimal, int digits, int scale) {
  return decimal.scale() >= scale && decimal.precision() - decimal.scale() >= digits;
}

}  // namespace

bool IsWidening(const arrow::DataType& from, const arrow::DataType& to) {
  const int size = SizeOf(from);
  if (to.id() == Type::DECIMAL128) {
    const auto& decimal = static_cast<const arrow::Decimal128Type&>(to);
    if (size > 0) return HasRoom(decimal, size == 8 ? 20 : 10, 0);
    if (from.id() != Type::DECIMAL128 || from.Equals(to)) return false;
    const auto& before = static_cast<const arrow::Decimal128Type&>(from);
    return HasRoom(decimal, before.precision() - before.scale(), before.scale());
  }
  if (size > 0) return SizeOf(to) > size || (to.id() == Type::DOUBLE && size < 8);
  if (from.id() == Type::FLOAT) return to.id() == Type::DOUBLE;
  return from.id() == Type::DATE32 && IsLocalTime(to);
}

bool KeepsIdentity(const arrow::DataType& from, const arrow::DataType& to) {
  if (SizeOf(from) > 0) return SizeOf(to) > 0;
  if (from.id() == Type::FLOAT) return true;
  if (from.id() != Type::DECIMAL128) return false;
  return static_cast<const arrow::Decimal128Type&>(from).scale() ==
         static_cast<const arrow::Decimal128Type&>(to).scale();
}

}  // namespace freshet::record
