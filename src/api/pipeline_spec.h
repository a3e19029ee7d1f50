// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "api/json.h"
#include "pipeline/event_target.h"
#include "pipeline/gateway_definition.h"
#include "pipeline/pipeline_book.h"

namespace freshet::api {

/// What a create or an edit asks for.
struct AuthoredPipeline {
  pipeline::PipelineRecord record;  // its id, its spec without what is never told again
  pipeline::Definition definition;  // of an ingestion pipeline
  std::optional<pipeline::GatewayDefinition> gateway;  // it is one
  std::optional<pipeline::EventTarget> events;         // they are published there
  bool dry_run = false, allow_duplicate_names = false;
  int64_t expected_last_modified = 0;
};

/// Read the body of a create (`id`: the new one) or an edit, field by field. What comes back as
/// `spec` is what was sent. Errors: INVALID_ARGUMENT, UNSUPPORTED_FIELD: both name the field.
/// Source: the published PipelineSpec, CreatePipeline and EditPipeline.
Result<AuthoredPipeline> ReadPipeline(const Json& body, const std::string& id,
                                      const std::string& caller);

}  // namespace freshet::api
