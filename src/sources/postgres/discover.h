// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sources/postgres/column_selection.h"
#include "sources/postgres/connection.h"
#include "sources/postgres/types.h"
#include "sources/source.h"

namespace freshet::sources::postgres {

/// The SQL condition that the log carries column `a`: generated ones it does from version 18 on, if
/// they are stored and the publication says so. Source: PostgreSQL 18, "CREATE PUBLICATION",
/// publish_generated_columns.
inline constexpr std::string_view kCarried =
    "(a.attgenerated = '' OR a.attgenerated = 's' AND current_setting('server_version_num')::int "
    ">= 180000)";

/// A column as the catalog has it, if the log carries it: generated ones it does from version 18 on
/// if they are stored.
struct SourceColumn {
  int32_t number = 0;
  std::string name;
  TypeUse use;
  std::string type_name;  // as the server prints it, for people
  ColumnType type;
  /// Rows that were there when it was added, also in a partition, may hold something else than
  /// NULL.
  bool has_default = false;
  /// How its values are read: its type, a domain's base; and the transaction that altered it last.
  std::string reading, altered;
};

/// A table as the catalog has it.
struct SourceTable {
  uint32_t oid = 0;
  record::TableName name;
  bool partitioned = false;
  std::vector<SourceColumn> columns;
  std::set<int32_t> dropped;  // numbers of columns that are gone
  int32_t last_column = 0;    // the highest number of a column there ever was
  /// Column numbers of the key in its order; empty: whole rows (REPLICA IDENTITY FULL without a
  /// primary key).
  std::vector<int32_t> key;
  std::map<int32_t, std::string> key_names;     // by number, for messages
  std::map<std::string, std::string> files;     // of the table or its partitions, by their oids
  std::map<std::string, std::string> readings;  // of what the columns' types are made of
  /// What keeps it from being ingested, and what the log from telling of it.
  Status problem, unlogged;
};

/// Return all user tables, or those of `only`: partitioned tables as one, and beside them the
/// partitions that hold their rows; what cannot be ingested with its problem. `to_publish`: not
/// owning one that the log tells of is a problem too.
Result<std::vector<TableListing>> ListTables(Connection* connection, bool to_publish,
                                             const std::optional<std::set<uint32_t>>& only = {});

/// Read one table. Errors: NOT_FOUND.
Result<SourceTable> ReadTable(Connection* connection, uint32_t oid, TypeMapping mapping);
/// Read columns alone; also of partitions. Empty when there is no such table.
/// `files`: take in the files of the same moment.
Result<std::vector<SourceColumn>> ReadColumns(Connection* connection, uint32_t oid,
                                              TypeMapping mapping,
                                              std::map<std::string, std::string>* files = nullptr);
/// What the table's values are told by in the catalog.
record::Imprint ImprintOf(const SourceTable& table);
/// Errors: the table's problem, KEY_NOT_SELECTED, and what CheckShape says.
Result<record::TableShape> ToShape(const SourceTable& table);
/// The same, with what is written about the table and its columns.
Result<record::TableShape> ToCommentedShape(Connection* connection, const SourceTable& table);
/// Leave out the columns that are not selected.
void SelectColumns(const ColumnSelection& selection, SourceTable* table);

/// Return `"schema"."table"`.
std::string Quote(const record::TableName& name);
/// Errors: NOT_FOUND (it is not one of this source's ids).
Result<uint32_t> OidOf(const record::TableId& table);

}  // namespace freshet::sources::postgres
