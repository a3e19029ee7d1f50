// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pipeline/destination.h"
#include "pipeline/ingest.h"
#include "pipeline/refresh.h"
#include "pipeline/worker_channel.h"

namespace freshet::pipeline {

/// What was found at both ends before any worker starts.
struct Prepared {
  WorkerStart start;
  std::vector<std::pair<std::string, Status>> left_out;  // by table, as `schema.table`
  std::vector<RefreshAsked> refreshed;
  std::vector<std::string> warnings;
};

/// Look at the destination and at what its rows come from, and write down at the destination what
/// it belongs to. Errors: what a run is refused for, the source's, STORE_*.
Result<Prepared> Prepare(const IngestOptions& options, const Destination& destination,
                         Clock* clock);

/// Why an object of the specification is not ingested: there is nothing of its name.
Status NoSuchTable(const std::string& name);
/// Return the objects of the specification that no table in the destination's staging is, as
/// `schema.table`, but for those that were left out. Errors: STORE_*, STAGING_CORRUPT.
Result<std::vector<std::string>> NotStaged(const IngestOptions& options,
                                           const Destination& destination);

}  // namespace freshet::pipeline
