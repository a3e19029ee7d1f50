// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"
#include "pipeline/definition.h"
#include "pipeline/ingest.h"
#include "pipeline/pipeline_book.h"

namespace freshet::pipeline {

/// Return the folder of a pipeline's own: staging, index, logs, and a link to each schema that its
/// tables land in, named by the schema's key.
std::string FolderOfPipeline(const std::string& data, const std::string& pipeline);

/// What an update was asked for.
struct UpdateRequest {
  bool full_refresh = false, validate_only = false;
  // Destination tables, bare or qualified. Only these are updated; with neither, all are.
  std::vector<std::string> refresh_selection, full_refresh_selection;
  bool selects() const { return !refresh_selection.empty() || !full_refresh_selection.empty(); }
};
/// Errors: INVALID_ARGUMENT, UNSUPPORTED_FIELD.
Result<UpdateRequest> ReadUpdateRequest(std::string_view json);
/// Whether it is one that only looks whether all is well: it captures nothing.
bool OnlyValidates(const UpdateRecord& update);

/// Return the definition within a pipeline's specification. Errors: INVALID_ARGUMENT …
Result<Definition> DefinitionOf(const PipelineRecord& pipeline);

/// Return the schema with a place for its tables, made where it is missing. Errors: NOT_FOUND (the
/// catalog), STORE_*.
Result<catalog::Securable> MakeSchema(catalog::Catalog& catalog, const DestinationSchema& schema,
                                      const std::string& owner);

/// Return how to reach a database over a connection, with its secrets. Errors: NOT_FOUND,
/// UNSUPPORTED_FIELD, STORE_*.
Result<SourceSettings> ReachSource(catalog::Catalog& catalog, const std::string& data,
                                   const std::string& connection, const std::string& database);

/// The tables that a request selects, as they are called at the source.
struct Selection {
  std::set<record::TableName> tables;  // with those that are read again
  std::set<record::TableName> again;
};
/// Return what the selections of a request stand for: an object's own table, or one of a schema's
/// that was ingested, which `tables`, the pipeline's in the catalog, says.
/// Errors: INVALID_ARGUMENT (one is none of the pipeline's): names the field.
Result<Selection> SelectionOf(const Definition& definition,
                              const std::vector<catalog::Securable>& tables,
                              const UpdateRequest& request);

/// Make a run of an update: the connection with its secrets, the folder with its links; schemas
/// that are missing are made. What opens the source, and the workers' program, are the caller's.
/// Errors: NOT_FOUND (connection, catalog), INVALID_ARGUMENT (a selection that matches no table),
/// UNSUPPORTED_FIELD, STORE_*.
Result<IngestOptions> PlanUpdate(catalog::Catalog& catalog, const std::string& data,
                                 const PipelineRecord& pipeline, const Definition& definition,
                                 const UpdateRequest& request);

/// Return the table that a folder below the pipeline's stands for: catalog, schema, table.
/// Nothing: no link leads there.
std::optional<catalog::Path> TableAt(const Definition& definition, std::string_view folder);

}  // namespace freshet::pipeline
