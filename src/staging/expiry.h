// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "staging/writer.h"
#include "store/file_store.h"

namespace freshet::staging {

/// What StagingWriter::Expire promises, at the wall time `now`. A crash in between is repaired by
/// the next call: a segment's files go before its manifest.
Result<StagingWriter::Expired> ExpireSegments(store::FileStore& store, std::string_view staging_id,
                                              const StagingWriter::ExpiryRules& rules,
                                              UtcMicros now);

}  // namespace freshet::staging
