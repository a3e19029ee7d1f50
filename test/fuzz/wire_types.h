// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/type.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "sources/postgres/types.h"

namespace freshet::fuzz {

using sources::postgres::ColumnType;
using sources::postgres::Kind;

inline ColumnType ArrayOf(ColumnType element, bool as_text) {
  ColumnType type{.kind = Kind::kArray, .as_text = as_text};
  type.children.push_back(std::move(element));
  return type;
}

/// One column of every kind; seeds.py has them in the same order.
inline std::vector<ColumnType> WireTypes() {
  std::vector<ColumnType> types;
  for (Kind kind : {Kind::kBool, Kind::kInt16, Kind::kInt32, Kind::kInt64, Kind::kFloat32,
                    Kind::kFloat64, Kind::kText, Kind::kJsonb, Kind::kBytea, Kind::kDate,
                    Kind::kTime, Kind::kTimestamp, Kind::kTimestampTz, Kind::kUuid}) {
    types.push_back({.kind = kind});
  }
  ColumnType numeric{.kind = Kind::kNumeric, .precision = 12, .scale = 3};
  types.push_back(numeric);
  types.push_back({.kind = Kind::kNumeric, .precision = 38, .scale = 0});
  types.push_back({.kind = Kind::kBytea, .as_text = true});
  types.push_back({.kind = Kind::kMap, .as_text = true});
  types.push_back(ArrayOf({.kind = Kind::kInt32}, false));
  types.push_back(ArrayOf({.kind = Kind::kText}, false));
  types.push_back(ArrayOf(ArrayOf(numeric, true), true));
  ColumnType inner{.kind = Kind::kStruct, .as_text = true};
  inner.children = {{.kind = Kind::kInt32}, {.kind = Kind::kText}};
  inner.names = {"x", "y"};
  ColumnType outer{.kind = Kind::kStruct, .as_text = true};
  outer.children = {inner,
                    ArrayOf({.kind = Kind::kText}, true),
                    {.kind = Kind::kTimestampTz},
                    {.kind = Kind::kMap}};
  outer.names = {"at", "tags", "seen", "labels"};
  types.push_back(outer);
  types.push_back(ArrayOf(inner, true));
  return types;
}

/// Stop the run: what was decoded is not what it says it is.
inline void Require(const arrow::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::abort();
}

}  // namespace freshet::fuzz
