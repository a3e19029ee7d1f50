// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace freshet::sources::postgres {

/// One row of a sample of a table's blocks.
struct SampledRow {
  int64_t block = 0;
  std::optional<std::string> key;  // none: NULL
};

/// How a table is divided by the values of one column.
struct KeySplit {
  int32_t column = 0;
  std::string type;
  /// Each chunk but the first begins at one of these. They grow.
  std::vector<std::string> bounds;
  /// Which part of the table's rows each chunk has; one more than bounds.
  std::vector<double> shares;
  /// Of how many chunks a block has rows, on average: as often it is read.
  double reads_per_block = 1;
  /// About how many rows the table has; -1: not known.
  int64_t rows = -1;
};

/// Divide a table evenly into at most so many chunks. `sample` is in the key's order, NULLs first:
/// they are in the first chunk. A value that very many rows share is in one chunk all the same, so
/// there may be fewer.
KeySplit SplitByKey(const std::vector<SampledRow>& sample, int64_t chunks);

/// Whether reading so is better than looking through the whole table once for each of two readers.
/// `block_weight`: which part of reading a block's rows is reading the block; the rest lies out of
/// line.
bool Pays(const KeySplit& split, double block_weight);

}  // namespace freshet::sources::postgres
