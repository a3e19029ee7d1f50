// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>

#include <cstdint>
#include <vector>

namespace freshet::parquet {

/// Guess how many distinct values chunks of one column hold, from a strided sample (the GEE
/// estimator: Charikar et al., "Towards Estimation Error Guarantees for Distinct Values", 2000).
/// Nulls are not counted. -1: the type is not sampled.
int64_t EstimateDistinct(const std::vector<std::shared_ptr<arrow::Array>>& chunks);

/// Whether a dictionary pays for a column of which these chunks are the first row group: few
/// distinct values, and a dictionary that stays within one page. Without it the writer saves the
/// hashing of every value.
bool DictionaryPays(const std::vector<std::shared_ptr<arrow::Array>>& chunks);

}  // namespace freshet::parquet
