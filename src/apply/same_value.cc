// SPDX-License-Identifier: Apache-2.0
#include "apply/same_value.h"

#include <arrow/compare.h>

namespace freshet::apply {
namespace {

template <typename A>
bool Same(const arrow::Array& a, int64_t row_a, const arrow::Array& b, int64_t row_b) {
  return static_cast<const A&>(a).GetView(row_a) == static_cast<const A&>(b).GetView(row_b);
}

}  // namespace

bool SameValue(const arrow::Array& a, int64_t row_a, const arrow::Array& b, int64_t row_b) {
  if (a.IsNull(row_a) || b.IsNull(row_b)) return a.IsNull(row_a) && b.IsNull(row_b);
  switch (a.type_id()) {
    case arrow::Type::BOOL:
      return Same<arrow::BooleanArray>(a, row_a, b, row_b);
    case arrow::Type::INT16:
      return Same<arrow::Int16Array>(a, row_a, b, row_b);
    case arrow::Type::INT32:
      return Same<arrow::Int32Array>(a, row_a, b, row_b);
    case arrow::Type::INT64:
      return Same<arrow::Int64Array>(a, row_a, b, row_b);
    case arrow::Type::DATE32:
      return Same<arrow::Date32Array>(a, row_a, b, row_b);
    case arrow::Type::TIMESTAMP:
      return Same<arrow::TimestampArray>(a, row_a, b, row_b);
    case arrow::Type::DECIMAL128:
      return Same<arrow::Decimal128Array>(a, row_a, b, row_b);
    case arrow::Type::STRING:
      return Same<arrow::StringArray>(a, row_a, b, row_b);
    case arrow::Type::BINARY:
      return Same<arrow::BinaryArray>(a, row_a, b, row_b);
    default:
      return arrow::ArrayRangeEquals(a, b, row_a, row_a + 1, row_b,
                                     arrow::EqualOptions::Defaults().nans_equal(true));
  }
}

}  // namespace freshet::apply
