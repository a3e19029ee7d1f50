// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <parquet/arrow/schema.h>
#include <parquet/metadata.h>

#include "parquet/encoder.h"

namespace freshet::parquet {

/// The footer key under which our encoder lists the ordinals of columns that hold a NaN ("" none):
/// Parquet's own bounds pass NaN over in silence. A footer without it was written by another
/// engine: its floating bounds are not used.
inline constexpr char kNanColumnsKey[] = "freshet.nan";

/// Return the exact statistics of a file as its footer has them, one entry a top-level column.
FileStatistics StatisticsOf(const ::parquet::FileMetaData& metadata,
                            const ::parquet::arrow::SchemaManifest& manifest);

}  // namespace freshet::parquet
