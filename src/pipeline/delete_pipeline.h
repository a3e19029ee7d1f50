// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pipeline/update_runner.h"

namespace freshet::pipeline {

/// Stop the pipeline and remove it with all that it made: slot and publication at the source, its
/// folder and, with `cascade`, its tables and their data. Of a gateway, slot, publication and
/// staging volume go with `cascade` only. `force`: go on where something of that cannot be removed.
/// Errors: DESTINATION_BUSY (its update does not end; pipelines are over it), the source's,
/// STORE_*.
Status DeletePipeline(const UpdateParts& parts, UpdateRunner& runner,
                      const PipelineRecord& pipeline, bool cascade, bool force);

}  // namespace freshet::pipeline
