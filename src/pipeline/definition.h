// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "pipeline/spec.h"

namespace freshet::pipeline {

/// A schema that tables land in.
struct DestinationSchema {
  std::string catalog, schema;
  auto operator<=>(const DestinationSchema&) const = default;
  /// What stands for it in a specification's `destination_schema`, and in a pipeline's folder.
  std::string key() const;
};

/// What an `ingestion_definition` says.
struct Definition {
  std::string connection_name;  // empty: it has a gateway
  std::string gateway;          // the id of the one that captures for it; empty: none
  std::string database;         // the one that all objects name as their source_catalog
  /// Its objects' destination schemas are keys.
  PipelineSpec spec;
  std::vector<DestinationSchema> destinations;  // each once
};

/// Read the JSON text of an `ingestion_definition` over a database, with or without a gateway.
/// Errors: INVALID_ARGUMENT, UNSUPPORTED_FIELD: both name the field.
/// Source: the published IngestionPipelineDefinition.
Result<Definition> ReadDefinition(std::string_view json);

}  // namespace freshet::pipeline
