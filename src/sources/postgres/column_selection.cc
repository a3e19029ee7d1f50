// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/column_selection.h"

#include <algorithm>

#include "base/json.h"

namespace freshet::sources::postgres {
namespace {

using Json = nlohmann::json;
using Names = std::vector<std::string>;

bool Has(const Names& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

Result<ColumnSelection> ColumnSelection::Parse(std::string_view text) {
  ColumnSelection selection;
  if (text.empty()) return selection;
  try {
    for (const auto& json : ParseJsonOrThrow<Json>(text)) {
      selection.rules_.push_back({json.value("schema", ""), json.value("table", ""),
                                  json.value("include_columns", Names()),
                                  json.value("exclude_columns", Names())});
    }
  } catch (const std::exception& error) {
    return Error(ErrorClass::INVALID_ARGUMENT, "the selection of columns is not readable: {}",
                 error.what());
  }
  return selection;
}

bool ColumnSelection::Selects(const record::TableName& table, const std::string& column) const {
  const Rule* holds = nullptr;
  for (const Rule& rule : rules_) {
    if (!rule.schema.empty() && rule.schema != table.schema) continue;
    if (!rule.table.empty() && rule.table != table.table) continue;
    holds = &rule;
  }
  if (holds == nullptr) return true;
  return holds->include.empty() ? !Has(holds->exclude, column) : Has(holds->include, column);
}

}  // namespace freshet::sources::postgres
