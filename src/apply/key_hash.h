// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "apply/key_index.h"
#include "record/ids.h"

namespace freshet::apply {

/// Part of the index's format: another seed, or another canonical form, is another layout.
inline constexpr uint64_t kKeyHashSeed = 0x0046726573686574;  // "Freshet"
inline constexpr std::string_view kKeyHashForm = "xxh3-1";

/// Hash the key of each of `rows` rows: XXH3 128 over the canonical bytes of `columns`' values, in
/// key order. All integers have one form and so have both floats, so that a widened key column
/// keeps its hashes; a decimal is its unscaled number; every NaN is one NaN.
std::vector<KeyHash> HashKeys(const arrow::ArrayVector& columns, int64_t rows);

/// Hash the whole content of each row: the (column id, value) pairs that are not null, by ascending
/// id, so that an added column leaves the hashes of the rows that lack it.
std::vector<KeyHash> HashContents(const arrow::ArrayVector& columns,
                                  const std::vector<record::ColumnId>& ids, int64_t rows);

/// Return the 64 bits that stand for a data file in an address.
uint64_t HashPath(std::string_view path);

}  // namespace freshet::apply
