// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/type.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "record/ids.h"

namespace freshet::record {

/// A table's name as the source spells it, nothing quoted.
struct TableName {
  std::string schema;
  std::string table;
  auto operator<=>(const TableName&) const = default;
  std::string ToString() const { return schema + "." + table; }
};

/// What people wrote about a table at its source.
struct TableComments {
  std::string table;                        // empty: nothing
  std::map<ColumnId, std::string> columns;  // of those that have one
  bool operator==(const TableComments&) const = default;
};

/// What tells at the source whether the values that are there read as they did: texts of its own,
/// each under a name. A name that comes or goes says nothing.
struct Imprint {
  /// How values are read: their type, the words of an enum. Another text: all may read otherwise.
  std::map<std::string, std::string> readings;
  /// When each column was altered last, by its id.
  std::map<std::string, std::string> columns;
  /// What holds the rows. Another: they were all written anew, as they were or otherwise.
  std::map<std::string, std::string> files;
  bool operator==(const Imprint&) const = default;
};
/// Why values that were there may read otherwise than they did, without a change that tells of it:
/// empty: none does.
std::string ReadsOtherwise(const Imprint& before, const Imprint& after);
/// Whether rows that were there were written anew.
bool WrittenAnew(const Imprint& before, const Imprint& after);

/// Columns + key + version of a source table: what every batch of it points at. Immutable once
/// shared.
///
/// Arrow types in use and what they become in Delta: bool BOOLEAN, int8/16/32/64 BYTE SHORT INTEGER
/// LONG, float32/64 FLOAT DOUBLE, utf8 STRING, binary BINARY, date32 DATE, timestamp(us)
/// TIMESTAMP_NTZ, timestamp(us, "UTC") TIMESTAMP, decimal128(p, s) DECIMAL(p, s); of any of these
/// list ARRAY, struct STRUCT, map from a scalar MAP. All fields but a map's keys are nullable.
struct TableShape {
  TableId id;
  TableName name;
  /// From 1, grows with each change of shape of this table in this staging; the gateway numbers
  /// them.
  int32_t version = 0;
  std::shared_ptr<arrow::Schema> schema;
  /// Ordinals into `schema` of the key columns in key order; empty: no key, rows are identified by
  /// their whole content.
  std::vector<int> key;
  /// One a column, in the schema's order.
  std::vector<ColumnId> ids;
  /// One a column, as the source spells its type; for people. Only Source::Describe fills it in, no
  /// comparison looks at it and staging does not keep it.
  std::vector<std::string> source_types;
  /// One a column: rows that were there before it was added may hold something else than NULL. As
  /// source_types; empty: none does.
  std::vector<bool> filled = {};
  /// The highest id that any column of the table ever had, one that was dropped or is not selected
  /// too; 0: not known. No comparison looks at it.
  int32_t last_column = 0;
  /// Whether the source's log tells of the table's changes; else it is read again and again, and
  /// what differs is applied. Stays as it was when the table was first followed.
  bool logged = true;

  /// What the source has kept of the table (ChangeStream::TakeMemos); empty: nothing, as when it is
  /// read anew. At most limits::kTableMemoBytesMax. No comparison looks at it.
  std::string memo = {};

  /// Nothing: not known, they are what they were. No comparison looks at them.
  std::optional<TableComments> comments = {};
  /// As source_types.
  std::optional<Imprint> imprint = {};

  bool keyless() const { return key.empty(); }
  int width() const { return schema->num_fields(); }
  /// Whether columns (ids, names, types) and key are the same; nothing else counts.
  bool SameColumns(const TableShape& other) const;
};

/// Check the rules above: supported types, ids positive and unique, key ordinals in range, no
/// `__freshet_` name, names of distinct case. Errors: COLUMN_RESERVED, COLUMN_NAME_CONFLICT,
/// INTERNAL.
Status CheckShape(const TableShape& shape);

/// Columns of this prefix are ours in staging.
inline constexpr std::string_view kReservedPrefix = "__freshet_";

}  // namespace freshet::record
