// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lineage.h"

#include <cstdlib>

#include "apply/history_form.h"
#include "catalog/names.h"

namespace freshet::pipeline {
namespace {

constexpr char kConnection[] = "source_connection", kDatabase[] = "source_catalog",
               kSchema[] = "source_schema", kTable[] = "source_table", kSince[] = "source_since";

}  // namespace

catalog::Texts FactsOf(const Lineage& lineage) {
  return {{kConnection, lineage.connection},
          {kDatabase, lineage.database},
          {kSchema, lineage.source.schema},
          {kTable, lineage.source.table},
          {kSince, std::to_string(lineage.at)}};
}

std::optional<Lineage> LineageOf(const catalog::Securable& table) {
  if (table.fact(kTable).empty()) return std::nullopt;
  return Lineage{.connection = table.fact(kConnection),
                 .database = table.fact(kDatabase),
                 .source = {table.fact(kSchema), table.fact(kTable)},
                 .at = std::strtoll(table.fact(kSince).c_str(), nullptr, 10)};
}

Result<std::vector<catalog::Securable>> TablesFrom(catalog::Catalog& catalog,
                                                   const Lineage& lineage) {
  FRESHET_TRY(auto tables, catalog.TablesWith({{kDatabase, lineage.database},
                                               {kSchema, lineage.source.schema},
                                               {kTable, lineage.source.table}}));
  // A pipeline names its connection in any case.
  std::erase_if(tables, [&](const auto& table) {
    return catalog::Lower(table.fact(kConnection)) != catalog::Lower(lineage.connection);
  });
  return tables;
}

bool IsOwnColumn(std::string_view name) {
  return name == apply::kStartColumn || name == apply::kEndColumn || name == apply::kDeletedColumn;
}

}  // namespace freshet::pipeline
