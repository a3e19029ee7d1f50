// SPDX-License-Identifier: Apache-2.0
#include "pipeline/lineage.h"

#include <cstdlib>

#include "apply/history_form.h"

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

bool IsOwnColumn(std::string_view name) {
  return name == apply::kStartColumn || name == apply::kEndColumn || name == apply::kDeletedColumn;
}

}  // namespace freshet::pipeline
