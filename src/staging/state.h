// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "staging/manifest.h"
#include "store/file_store.h"

namespace freshet::staging {

/// Return the staging's random id. Errors: NOT_FOUND (no staging here), STAGING_CORRUPT.
Result<std::string> ReadIdentity(store::FileStore& store);
/// Return the id, making the staging where there is none; the first of two makers wins. Errors:
/// STAGING_CORRUPT, as Put.
Result<std::string> MakeIdentity(store::FileStore& store);

/// Errors: NOT_FOUND, STAGING_CORRUPT (also when it belongs to another staging).
Result<std::shared_ptr<const Manifest>> ReadManifest(store::FileStore& store,
                                                     std::string_view staging_id,
                                                     SegmentNumber number);

/// Return the state through the newest manifest: the newest folder's full checkpoint and all that
/// follows. Through 0: no manifest.
Result<Checkpoint> ReadState(store::FileStore& store, std::string_view staging_id);

/// Folders below `top` in growing order. Those without files may be among them.
Result<std::vector<int64_t>> ListFolders(store::FileStore& store, std::string_view top);

}  // namespace freshet::staging
