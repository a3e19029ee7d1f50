// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "pipeline/update_runner.h"

namespace freshet::pipeline {

struct Deletion {
  /// Tables and their data go too; of a gateway: slot, publication and staging volume.
  bool cascade = true;
  /// Go on where something of that cannot be removed.
  bool force = false;
};

struct Deleted {
  /// False: an update that has to end first, or another deletion of the same pipeline, takes
  /// longer than a client waits. Nothing is lost by asking again.
  bool done = true;
  /// With `force`: what could not be removed, and why.
  std::vector<Status> left = {};
};

/// Stop the pipeline and remove it with all that it made: slot and publication at the source, its
/// folder, tables. What another deletion of it removes meanwhile counts as well.
/// Errors: DESTINATION_BUSY (pipelines are over it), the source's, STORE_*.
Result<Deleted> DeletePipeline(const UpdateParts& parts, UpdateRunner& runner,
                               const PipelineRecord& pipeline, const Deletion& how);

}  // namespace freshet::pipeline
