// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apply/fold.h"
#include "apply/history_form.h"
#include "delta/table.h"
#include "record/sequence.h"
#include "record/shape.h"

namespace freshet::apply {

/// What a destination table says of itself in its Delta properties (`freshet.*`), written by the
/// commit that creates it and by those that begin or complete a generation.
struct TableMark {
  std::string staging, flow, table, pipeline;
  std::vector<record::ColumnId> key;            // in key order; empty: keyless
  record::Sequence position;                    // of the generation's snapshot
  int32_t shape_version = 0;                    // the newest whose columns the table has
  bool complete = false;                        // every chunk of the generation is in the table
  std::vector<record::ColumnId> inactive = {};  // columns that the source has no more
  /// Columns were dropped of it, whose values may still lie in its files: later ones need names of
  /// their own there.
  bool dropped = false;
  record::Generation filled;  // the last that brought columns alone; 0: none since the whole one
  HistoryMark history;

  std::map<std::string, std::string> ToProperties() const;
  /// Nothing: the table has no mark. Errors: POSITION_LOST (a part of it is missing or unreadable).
  static Result<std::optional<TableMark>> Of(const std::map<std::string, std::string>& properties);
};

/// Columns of data files, not of the table, in which rows that were written again keep their ids
/// and versions. Source: Delta protocol, "Row Tracking", "Materialized Row IDs".
struct RowIdColumns {
  std::string id, version;
  /// Nothing: the table's rows have no ids.
  static std::optional<RowIdColumns> Of(const delta::Snapshot& snapshot);
  arrow::FieldVector Fields() const;
};

/// Columns and key of a destination table, as apply needs them.
struct TableForm {
  std::vector<delta::Column> columns;
  RowForm rows;
  arrow::FieldVector physical;  // one a column: physical name and type
  HistoryForm history;
  std::string layout;  // of the key index's entries
  std::optional<RowIdColumns> row_ids;

  /// Errors: POSITION_LOST (a key column of the mark is not in the table).
  static Result<TableForm> Of(const delta::Snapshot& snapshot, const TableMark& mark) {
    return Of(snapshot, snapshot.columns, mark);
  }
  /// … of the table as a commit with these columns leaves it.
  static Result<TableForm> Of(const delta::Snapshot& snapshot, std::vector<delta::Column> columns,
                              const TableMark& mark);
  /// The key columns' physical fields; keyless: all columns'.
  arrow::FieldVector KeyFields() const;
  std::string KeyNames() const;
  /// The physical fields by which the index knows rows: the key's, then, where closed versions are
  /// not indexed, the one that closes them. `indexed` says of a batch of them which rows are.
  arrow::FieldVector IndexFields() const;
  bool Indexed(const arrow::RecordBatch& of_index_fields, int64_t row) const;
};

/// What a table says beside its columns and its mark.
struct TableWords {
  /// The source's comment on it, empty where it has none; nothing: not known.
  std::optional<std::string> comment = {};
  std::map<std::string, std::string> properties = {};
};

/// The columns of a table made from this shape.
std::vector<delta::Column> ColumnsOf(const record::TableShape& shape);

/// Protocol and metadata of a new table.
std::vector<delta::Action> DescribeNew(std::vector<delta::Column> columns, const TableMark& mark,
                                       const TableWords& words, int64_t now_ms);
/// Metadata (and the protocol, if it has to grow) that give a table other columns, another mark or
/// other words; what they don't say stays.
std::vector<delta::Action> Redescribe(const delta::Snapshot& snapshot,
                                      std::vector<delta::Column> columns, const TableMark& mark,
                                      int64_t now_ms, const TableWords& words = {});

/// The three txns of a flow.
struct TxnNames {
  explicit TxnNames(const record::FlowId& flow)
      : generation(flow.value() + "/generation"),
        snapshot(flow.value() + "/snapshot"),
        changes(flow.value() + "/changes") {}
  std::string generation, snapshot, changes;
};

}  // namespace freshet::apply
