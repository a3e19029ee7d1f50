// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "sources/postgres/config.h"
#include "sources/source.h"

namespace freshet::sources::postgres {

/// Take a snapshot: exact at the consistent point of a replication slot made for this moment. The
/// slot is temporary and gone when this returns; the exported snapshot lives on in a session of its
/// own, so nothing holds back the server's log.
///
/// Whoever holds what this returns holds the snapshot, also for other processes.
///
///   CREATE_REPLICATION_SLOT … TEMPORARY (SNAPSHOT 'export')   position = consistent_point
///   holder:  BEGIN; SET TRANSACTION SNAPSHOT; pg_export_snapshot()
///   reader:  BEGIN; SET TRANSACTION SNAPSHOT; COPY a range; is the table the same? COMMIT
///
/// Errors: SOURCE_BLOCKED, SOURCE_NO_FREE_SLOT, SOURCE_NOT_LOGICAL, SOURCE_PRIVILEGE.
Result<std::unique_ptr<Snapshot>> BeginSnapshot(const Config& config, uint32_t epoch);

/// Open a snapshot that another session holds, by its handle. Errors: SNAPSHOT_STALE (it is gone,
/// or of another history of the server), STAGING_CORRUPT.
Result<std::unique_ptr<Snapshot>> ResumeSnapshot(const Config& config, uint32_t epoch,
                                                 const std::string& handle);

}  // namespace freshet::sources::postgres
