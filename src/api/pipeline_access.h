// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/context.h"
#include "pipeline/gateway_definition.h"
#include "pipeline/pipeline_book.h"

namespace freshet::api {

/// Return what permissions on the pipeline are kept under.
std::string PermissionObjectOf(const pipeline::PipelineRecord& pipeline);

/// Ask whether the caller has the level on the pipeline: CAN_VIEW, CAN_RUN, CAN_MANAGE, IS_OWNER,
/// each of which holds those before it. Administrators have all of them.
Result<Verdict> CheckPipeline(const Context& context, const catalog::Caller& caller,
                              const pipeline::PipelineRecord& pipeline, std::string_view level);

/// Rules of what a pipeline's body names: the connection, or the gateway, is one that the caller
/// may use, and the schemas are ones that it may make tables, or a gateway's volume, in. For a
/// create and for an edit.
Result<Verdict> MayAuthor(const Context& context, const Request& request);
/// Whether the pipeline's `run_as` still has those rights: with them its updates run.
Result<Verdict> MayStart(const Context& context, const Request& request);

}  // namespace freshet::api
