// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "model/values.h"
#include "record/shape.h"

namespace freshet::model {

/// What one transaction does to one table, in order.
struct InsertRow {
  Row row;
};
/// `row` is whole, but for cells not sent. With `old_key` set the key changes.
struct UpdateRow {
  Row row;
  std::optional<Row> old_key;  // keyless: the whole old row
};
struct DeleteRow {
  Row key;  // keyless: the whole row
};
struct Truncate {};
struct Drop {};
/// A row goes with a partition of its table that is truncated: the stream says that rows went, not
/// which.
struct LoseRow {
  Row key;  // keyless: the whole row
};
/// A row comes with a partition that joins its table: only the list of the table's partitions
/// tells.
struct JoinRow {
  Row row;
};
/// With a default, which the rows that are there get too.
struct AddColumn {
  std::string name;
  std::shared_ptr<arrow::DataType> type;
  Cell filled = Cell::Null();
};
struct DropColumn {
  std::string name;
};
struct RenameColumn {
  std::string name, to;
};
/// The values stay, as text.
struct RetypeColumn {
  std::string name;
  std::shared_ptr<arrow::DataType> type;
};
/// Without names: keyless from now on.
struct ChangeKey {
  std::vector<std::string> names;
};
using Operation = std::variant<InsertRow, UpdateRow, DeleteRow, Truncate, Drop, LoseRow, JoinRow,
                               AddColumn, DropColumn, RenameColumn, RetypeColumn, ChangeKey>;

struct Step {
  std::string table;
  Operation operation;
};

/// A table as it is after some position: its shape and its rows (keyless ones with repetition).
struct Content {
  record::TableShape shape;
  std::vector<Row> rows;
  bool dropped = false;
  int partitions_joined = 0;
};

/// A database with a log: tables that begin somewhere, and transactions at growing positions. What
/// a table holds at any position is computed by replaying, so that snapshots and changes agree by
/// construction. One thread at a time.
class Database {
 public:
  struct Table {
    record::TableShape first_shape;
    uint64_t base_position = 0;  // the log is replayed on `base` from here
    std::vector<Row> base;
    int64_t chunk_rows = 1'000'000;
    record::TableComments comments = {};  // as they are now
  };

  /// Make a table. `columns` are (name, type), `key` names of key columns. One of that name that
  /// was dropped is another table from now on.
  Status CreateTable(
      const std::string& name,
      const std::vector<std::pair<std::string, std::shared_ptr<arrow::DataType>>>& columns,
      const std::vector<std::string>& key, int64_t chunk_rows);
  /// Say what a table holds at a position, instead of replaying from its beginning.
  Status SetBase(const std::string& name, uint64_t position, std::vector<Row> rows);
  /// Give tables other names, all at once; each of them stays the same table.
  Status Rename(const std::map<std::string, std::string>& names);
  /// Add a step to the transaction at `position`, which is the last one or a new last one.
  Status Add(uint64_t position, Step step);

  /// Replay a table up to and including `position`. Updates of absent rows insert, inserts of
  /// present keys replace, deletes of absent rows do nothing: what an upsert would leave.
  Result<Content> At(const std::string& table, uint64_t position) const;
  /// The last position of the log, or of a base.
  uint64_t last_position() const { return last_position_; }
  const std::map<uint64_t, std::vector<Step>>& log() const { return log_; }
  const std::map<std::string, Table>& tables() const { return tables_; }
  std::map<std::string, Table>& tables() { return tables_; }
  /// The name of a table by its id.
  std::optional<std::string> NameOf(const record::TableId& id) const;

 private:
  void MoveAside(const std::string& name);

  std::map<std::string, Table> tables_;
  std::map<uint64_t, std::vector<Step>> log_;
  uint64_t last_position_ = 0;
};

/// Whether two rows have the same key (keyless: are equal). `key_only` rows hold only the key's
/// cells.
Row KeyOf(const record::TableShape& shape, const Row& row);
/// The row's values in the places that their columns have in another shape.
Row InShape(const Row& row, const record::TableShape& from, const record::TableShape& to);
/// Apply a change of shape to a shape; nothing: the operation is none.
std::optional<record::TableShape> Reshaped(record::TableShape shape, const Operation& operation);

}  // namespace freshet::model
