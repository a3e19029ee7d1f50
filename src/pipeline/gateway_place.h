// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "catalog/catalog.h"
#include "pipeline/gateway_definition.h"

namespace freshet::pipeline {

/// Make the volume that a gateway stages in, and its schema, where they are missing. Called when
/// the gateway is deployed and whenever it begins.
/// Errors: NOT_FOUND (the catalog), ALREADY_EXISTS (somebody else's volume has the name).
Status MakeStagingVolume(catalog::Catalog& catalog, const std::string& data,
                         const PipelineRecord& gateway, const GatewayDefinition& definition);
/// Remove it from the catalog with all that was staged in it; what is gone already is no mistake.
Status RemoveStagingVolume(catalog::Catalog& catalog, const std::string& data,
                           const PipelineRecord& gateway, const GatewayDefinition& definition);

/// The gateway goes and its volume stays, with all that was staged: say in the catalog what it is
/// by now, and what else is left.
Status LeaveStagingVolume(catalog::Catalog& catalog, const std::string& data,
                          const PipelineRecord& gateway, const GatewayDefinition& definition);
/// Remove what was staged in such a volume, which has gone from the catalog; no-op for others.
Status RemoveLeftStaging(const std::string& data, const catalog::Securable& volume);

/// Return the database that a pipeline or gateway was begun with; empty: it was not begun, or over
/// a gateway. Errors: DATA_CORRUPT, STORE_*.
Result<std::string> BegunDatabase(const std::string& data, const std::string& pipeline);
/// As GatewayOf; where the definition names no database, the one that it was begun with. Errors:
/// DATA_CORRUPT, STORE_* too.
Result<GatewayDefinition> BegunGateway(const std::string& data, const PipelineRecord& gateway);

/// Let the pipeline's own folder lead to the gateway's staging; both are the same for the gateway
/// itself.
Status LinkStaging(const std::string& data, const std::string& pipeline,
                   const std::string& gateway);
/// Where it lies.
std::string StagingOf(const std::string& data, const std::string& gateway);

}  // namespace freshet::pipeline
