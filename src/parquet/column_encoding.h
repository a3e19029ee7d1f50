// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <vector>

namespace freshet::parquet {

/// How a column's values are laid out before compression.
enum class ColumnEncoding : uint8_t { kPlain, kDictionary, kDelta };

/// Guess how many distinct values chunks of one column hold, from a strided sample (the GEE
/// estimator: Charikar et al., "Towards Estimation Error Guarantees for Distinct Values", 2000).
/// Nulls are not counted. -1: the type is not sampled.
int64_t EstimateDistinct(const std::vector<std::shared_ptr<arrow::Array>>& chunks);

/// Choose for a column of which these chunks are the first row group: a dictionary where values are
/// few and it stays within one page (else the writer hashes every value for nothing); deltas for
/// integers and times that run close to their neighbours, as ids and times of creation do.
ColumnEncoding ChooseEncoding(const std::vector<std::shared_ptr<arrow::Array>>& chunks);

}  // namespace freshet::parquet
