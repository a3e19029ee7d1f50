// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "staging/manifest.h"

namespace freshet::staging {

// Fields that several objects of a manifest have. Source: docs/formats/staging.md. What reads one
// throws nlohmann's exceptions where it is not there or of another type: FromJson catches them.

inline std::string Text(const nlohmann::json& in, const char* name) {
  return in.at(name).get<std::string>();
}
inline int64_t Number(const nlohmann::json& in, const char* name) {
  return in.at(name).get<int64_t>();
}
inline int32_t Number32(const nlohmann::json& in, const char* name) {
  return in.at(name).get<int32_t>();
}
inline TableId TableIn(const nlohmann::json& in) { return TableId(Text(in, "table")); }
inline record::TableName NameIn(const nlohmann::json& in) {
  return {.schema = Text(in, "schema"), .table = Text(in, "name")};
}

inline std::optional<TableId> FormerIn(const nlohmann::json& in) {
  if (!in.contains("former")) return std::nullopt;
  return TableId(Text(in, "former"));
}

inline std::vector<record::ColumnId> ColumnsIn(const nlohmann::json& in, const char* name) {
  std::vector<record::ColumnId> columns;
  for (const nlohmann::json& each : in.at(name)) columns.emplace_back(each.get<int32_t>());
  return columns;
}

inline std::set<std::string> PartitionsIn(const nlohmann::json& in) {
  return in.at("partitions").get<std::set<std::string>>();
}

inline nlohmann::json NumbersOf(const std::vector<record::ColumnId>& columns) {
  nlohmann::json numbers = nlohmann::json::array();
  for (const auto& column : columns) numbers.push_back(column.value());
  return numbers;
}

}  // namespace freshet::staging
