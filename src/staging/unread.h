// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <optional>
#include <set>

#include "staging/manifest.h"
#include "store/file_store.h"

namespace freshet::staging {

/// The gateway's word to a flow that waits for a reading of a table without a log: it could not be
/// read, and why. The file `unread/<table>.<flow>`; neither part has a dot. It stands until the
/// table is read, or the flow takes it away: then it asks for another try, now.
struct UnreadKey {
  TableId table;
  FlowId flow;
  auto operator<=>(const UnreadKey&) const = default;
};
/// The newest reason takes the place of the last. Errors: as FileStore::Put.
Status PutUnread(store::FileStore& store, const UnreadKey& key, const Status& why);
/// OK when there is none.
Status ForgetUnread(store::FileStore& store, const UnreadKey& key);
Result<std::set<UnreadKey>> ListUnread(store::FileStore& store);
/// Return the reason; nothing: there is none any more. Errors: STAGING_CORRUPT.
Result<std::optional<Status>> WhyUnread(store::FileStore& store, const UnreadKey& key);

}  // namespace freshet::staging
