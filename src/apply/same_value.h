// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>

namespace freshet::apply {

/// Whether two values of one type are the same, null like null and NaN like NaN.
bool SameValue(const arrow::Array& a, int64_t row_a, const arrow::Array& b, int64_t row_b);

}  // namespace freshet::apply
