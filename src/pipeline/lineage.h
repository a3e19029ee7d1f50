// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "catalog/catalog.h"
#include "record/shape.h"

namespace freshet::pipeline {

/// Where a table of the catalog comes from, as its pipeline knows it.
struct Lineage {
  std::string connection, database;
  record::TableName source;
  int64_t at = 0;  // milliseconds since 1970, UTC: since when

  /// But for the time.
  bool SameAs(const Lineage& other) const {
    return connection == other.connection && database == other.database && source == other.source;
  }
};
/// Return the facts that the catalog keeps of it with the table.
catalog::Texts FactsOf(const Lineage& lineage);
/// Nothing: the table has none, for its pipeline has not run since they are kept.
std::optional<Lineage> LineageOf(const catalog::Securable& table);
/// Return the tables of the catalog that come from a table at a source. The time says nothing here.
Result<std::vector<catalog::Securable>> TablesFrom(catalog::Catalog& catalog,
                                                   const Lineage& lineage);
/// Whether a column of a table is ours, and comes from nowhere.
bool IsOwnColumn(std::string_view name);

}  // namespace freshet::pipeline
