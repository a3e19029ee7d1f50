// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string_view>
#include <vector>

#include "staging/manifest.h"
#include "store/file_store.h"

namespace freshet::staging {

/// Where a former writer may have left files that no manifest names: snapshots that were not read
/// to their end.
struct Leftovers {
  struct Unended {
    FlowId flow;
    TableId table;
    Generation generation;
    std::set<int64_t> chunks_done;
  };
  std::vector<Unended> generations;
};

/// Read what could be left behind from the state a writer opens with.
Leftovers LeftoversOf(const Checkpoint& state);

/// Remove former writers' packs of unfinished segments and parts of unfinished chunks.
/// REQUIRES: `sealed` is this writer's first own segment: from then on no former writer can name a
/// file.
/// Source: docs/formats/staging.md, "Leftovers".
Status SweepLeftovers(store::FileStore& store, std::string_view staging_id,
                      std::string_view writer_id, SegmentNumber sealed, const Leftovers& leftovers);

}  // namespace freshet::staging
