// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "sources/sample/config.h"
#include "sources/source.h"

namespace freshet::sources::sample {

/// See the tables as they are after the last transaction in the journal now.
Result<std::unique_ptr<Snapshot>> BeginSnapshot(const Config& config);
/// See them so again: the journal itself holds every snapshot, until it is compacted past it.
/// Errors: SNAPSHOT_STALE.
Result<std::unique_ptr<Snapshot>> ResumeSnapshot(const Config& config, const std::string& handle);

/// Return the position after a transaction: every change of it, and of those before, is at or
/// below.
record::Sequence AfterTransaction(uint64_t number);

}  // namespace freshet::sources::sample
