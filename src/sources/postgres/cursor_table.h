// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sources/postgres/cursor_query.h"
#include "sources/postgres/discover.h"
#include "sources/source.h"

namespace freshet::sources::postgres {

/// A table or view as it is captured by queries.
struct QueriedTable {
  SourceTable table;  // the key is the rule's or the primary key's
  CursorRule rule;
  CursorPlan plan;
  std::string from;  // what stands after FROM
};

/// Return all user tables, views and foreign tables with what keeps each from being captured by
/// queries. REQUIRES: the config has rules.
Result<std::vector<TableListing>> ListQueriedTables(Connection* connection, const Config& config);

/// Read one; with its problem, if it has one. Errors: NOT_FOUND.
Result<QueriedTable> ReadQueriedTable(Connection* connection, uint32_t oid, const Config& config);

}  // namespace freshet::sources::postgres
