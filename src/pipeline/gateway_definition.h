// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "pipeline/definition.h"
#include "pipeline/pipeline_book.h"

namespace freshet::pipeline {

/// What a `gateway_definition` says.
struct GatewayDefinition {
  std::string connection_name;
  DestinationSchema storage;  // where its staging volume is
  std::string volume;         // the volume's name
  std::string database;       // empty: the one that its pipelines name
};

/// Read the JSON text of a `gateway_definition` of this pipeline.
/// Errors: INVALID_ARGUMENT, UNSUPPORTED_FIELD: both name the field.
/// Source: the published IngestionGatewayPipelineDefinition.
Result<GatewayDefinition> ReadGateway(std::string_view json, const std::string& pipeline);

/// Whether the pipeline is a gateway.
bool IsGateway(const PipelineRecord& pipeline);
/// Return the definition within a gateway's specification. Errors: INVALID_ARGUMENT …
Result<GatewayDefinition> GatewayOf(const PipelineRecord& pipeline);

}  // namespace freshet::pipeline
