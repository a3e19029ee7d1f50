// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "delta/table.h"
#include "parquet/encoder.h"

namespace freshet::delta {

/// The `stats` string of an add action: numRecords exact, minValues, maxValues, nullCount by
/// physical name for the first 32 columns. Strings cut at 32 characters (a maximum raised, or left
/// out), timestamps in ms (a maximum rounded up), decimals as exact numbers; a bound that cannot be
/// said exactly is left out.
std::string StatsJson(const parquet::FileStatistics& statistics, const std::vector<Column>& columns,
                      bool tight_bounds);
/// The same stats with `tightBounds` false, for a file that gets a deletion vector.
std::string WithoutTightBounds(const std::string& stats_json);
/// numRecords of a stats string, or -1.
int64_t RowsOf(const std::string& stats_json);

}  // namespace freshet::delta
