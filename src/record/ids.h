// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"

namespace freshet::record {

/// A source table's identity as the source keeps it through a rename (PostgreSQL: its oid).
/// Legible, at most 64 bytes of [A-Za-z0-9_-], so that it can name a file.
using TableId = StrongId<struct TableIdTag, std::string>;
/// A source column's identity within its table, never used again after a drop (PostgreSQL: attnum).
/// Greater than zero; it is the Parquet field id too.
using ColumnId = StrongId<struct ColumnIdTag, int32_t>;
/// One source object into one destination table, in one pipeline: `[A-Za-z0-9_-]+`.
using FlowId = StrongId<struct FlowIdTag, std::string>;
using PipelineId = StrongId<struct PipelineIdTag, std::string>;
/// A segment's number in its staging: from 1, without gaps. 0 is before the first.
using SegmentNumber = StrongId<struct SegmentNumberTag, int64_t>;
/// A flow's n-th snapshot: from 1, growing.
using Generation = StrongId<struct GenerationTag, int64_t>;

}  // namespace freshet::record
