// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/type.h>

#include <cstdint>

#include "record/ids.h"

namespace freshet::record {

/// Columns with fields inside have ids below this.
inline constexpr int32_t kNestedColumnIdMax = 1 << 14;

/// Return the id of the `number`-th field (from 1) inside a column, unique in its table: fields of
/// structs are counted depth first, each before what is in it.
inline int32_t NestedFieldId(ColumnId column, int32_t number) {
  return column.value() << 16 | number;
}

/// How many fields of structs are in a type.
int32_t CountFields(const arrow::DataType& type);

}  // namespace freshet::record
