// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/context.h"
#include "api/pipeline_spec.h"

namespace freshet::api {

/// What a definition names has to be there when it is authored, not only when it runs; and over a
/// gateway it must not say of a table what another pipeline says otherwise.
/// Errors: NOT_FOUND, UNSUPPORTED_FIELD, INVALID_ARGUMENT; DESTINATION_BUSY (the gateway is being
/// deleted).
Status CheckAuthored(const Context& context, const AuthoredPipeline& authored);
/// What cannot become other. Errors: INVALID_ARGUMENT.
/// Source: the fields for which the published clients make a pipeline anew.
Status CheckEdit(const Context& context, const pipeline::PipelineRecord& former,
                 const AuthoredPipeline& authored);
/// Make what is there before the first update. Errors: ALREADY_EXISTS (the staging volume, the
/// event log's table), TABLE_FOREIGN, STORE_*.
Status Deploy(const Context& context, const pipeline::PipelineRecord& record,
              const AuthoredPipeline& authored);
/// Only the table of its events, which an edit may have moved.
Status DeployEventLog(const Context& context, const pipeline::PipelineRecord& record,
                      const AuthoredPipeline& authored);

}  // namespace freshet::api
