// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "staging/manifest.h"
#include "store/file_store.h"

namespace freshet::staging {

/// A flow asks for its n-th snapshot of a table: the empty file `wishes/<table>.<flow>.<n>`. The
/// gateway reads the table when the newest wish is above the flow's newest generation; the
/// generation's number need not be the wish's but is at least it.
struct Wish {
  FlowId flow;
  TableId table;
  Generation generation;
  auto operator<=>(const Wish&) const = default;
};
/// Put-if-absent; OK when it was there already. Errors: as FileStore::Put.
Status PutWish(store::FileStore& store, const Wish& wish);
/// Remove a wish that a sealed generation has answered; OK when it is gone.
Status RemoveWish(store::FileStore& store, const Wish& wish);
/// Return every wish that was not removed, in order.
Result<std::vector<Wish>> ListWishes(store::FileStore& store);

/// A pipeline that reads this staging: registered before its first read, it holds expiry back.
/// `floor` is the last segment all of its flows are past; `flows_created` are the flows whose
/// destination table exists (a table missing later is an error, never a fresh start).
struct ReaderRecord {
  record::PipelineId pipeline;
  SegmentNumber floor;
  std::vector<FlowId> flows_created;
};
Status PutReader(store::FileStore& store, const ReaderRecord& record);
Result<std::vector<ReaderRecord>> ListReaders(store::FileStore& store);
/// The pipeline reads here no more: nothing is kept for it. OK when it is gone.
Status RemoveReader(store::FileStore& store, const record::PipelineId& pipeline);

}  // namespace freshet::staging
