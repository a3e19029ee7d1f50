// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "record/shape.h"
#include "sources/postgres/connection.h"

namespace freshet::sources::postgres {

/// A table or partition as the catalog and its files show it now.
struct Extent {
  uint32_t oid = 0;
  int64_t blocks = 0, block_bytes = 0;
  int64_t bytes = 0;           // with what is stored out of line (TOAST)
  double rows_per_block = -1;  // -1: never analysed
  uint32_t file = 0;           // of its snapshot

  /// What reading one of its blocks takes, with its share of what lies out of line.
  int64_t bytes_per_block() const;
};

/// Read where the table's rows lie: a partitioned table is read partition by partition, any other
/// is the one leaf of its own tree.
Result<std::vector<Extent>> ReadExtents(Connection* session, const record::TableId& table);

}  // namespace freshet::sources::postgres
