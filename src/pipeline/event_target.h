// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "catalog/catalog.h"
#include "pipeline/definition.h"
#include "pipeline/event_table.h"
#include "pipeline/pipeline_book.h"

namespace freshet::pipeline {

/// The table that a pipeline's events are published as.
struct EventTarget {
  DestinationSchema place;
  std::string name;
  catalog::Path path() const { return {place.catalog, place.schema, name}; }
  bool operator==(const EventTarget&) const = default;
};

/// Return what a pipeline's specification, a JSON object, says by `event_log`; nothing: its events
/// are in the API alone. What it leaves out is the pipeline's own catalog and schema, and
/// `event_log_<id>`, the id with underscores.
/// Errors: INVALID_ARGUMENT, which names the field. Source: the published EventLogSpec.
Result<std::optional<EventTarget>> EventTargetOf(std::string_view spec, const std::string& id);

/// Whether a table of the catalog is a pipeline's event log, and none that it ingests.
bool IsEventLog(const catalog::Securable& table);

/// Whether the pipeline may publish there. Errors: NOT_FOUND (the catalog), ALREADY_EXISTS (another
/// table has the name), INVALID_ARGUMENT (`definition` brings a table there).
Status CheckEventTarget(catalog::Catalog& catalog, const std::string& pipeline,
                        const Definition& definition, const EventTarget& target);

/// Open the table that an entry leads to, or make it. Errors: as EventTable::Open.
Result<std::unique_ptr<EventTable>> OpenEventTable(const catalog::Securable& entry,
                                                   const std::string& pipeline, Clock* clock);

/// Make schema, table and its entry in the catalog, where they are missing; return the entry.
/// Errors: as CheckEventTarget; TABLE_FOREIGN (another's data lie there), STORE_*, DELTA_*.
Result<catalog::Securable> MakeEventTable(catalog::Catalog& catalog, const PipelineRecord& pipeline,
                                          const EventTarget& target, Clock* clock);

}  // namespace freshet::pipeline
