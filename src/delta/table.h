// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/type.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delta/actions.h"
#include "delta/persistent_map.h"
#include "record/ids.h"
#include "store/file_store.h"

namespace freshet::delta {

/// One column of a table as Delta knows it.
struct Column {
  std::string name;      // what readers see
  std::string physical;  // the name in data files; == name without column mapping
  // delta.columnMapping.id, or our own `freshet.id` metadata; 0: foreign column
  record::ColumnId id;
  std::shared_ptr<arrow::DataType> type;
  bool nullable = true;
  /// Field metadata that is none of ours, as a JSON object; kept when the schema is written again.
  /// Empty: none.
  std::string other_metadata_json = {};
};

/// Give a column the source's comment; empty: none there. One that somebody else gave the column
/// stays where the source has none.
void TakeComment(const std::string& comment, Column* column);

/// Give a column a wider type, and note that files have the narrower one. Source: Delta protocol,
/// "Type Change Metadata". REQUIRES: record::IsWidening.
void WidenColumn(std::shared_ptr<arrow::DataType> type, Column* column);

/// Return the type as people write it: `LONG`, `DECIMAL(10,2)`, `ARRAY<STRING>`. REQUIRES: a type
/// that record::TableShape lists.
std::string TypeName(const arrow::DataType& type);

/// Schema JSON <-> columns; metadata that we don't know on known fields is kept when the JSON is
/// written again.
/// Errors: DELTA_UNSUPPORTED (a type we don't write).
Result<std::vector<Column>> ColumnsFromJson(std::string_view schema_json);
std::string ColumnsToJson(const std::vector<Column>& columns, bool column_mapping);
/// Whether Delta holds this name without column mapping: none of " ,;{}()\n\t=".
bool IsPlainName(std::string_view name);

/// The state of a table at one version. Immutable, shared; the states of one table share what they
/// have in common, so that a commit costs what it changes. The `data_change` of its files and
/// tombstones is always true.
struct Snapshot {
  int64_t version = -1;
  Protocol protocol;
  Metadata metadata;
  PersistentMap<AddFile> files;          // live, by path
  PersistentMap<RemoveFile> tombstones;  // unexpired, by path + '#' + vector id
  PersistentMap<bool> tombstone_ages;    // their keys again, behind the time of removal
  std::map<std::string, Txn> txns;       // by app id
  std::map<std::string, DomainMetadata> domains;
  std::vector<Column> columns;  // of metadata.schema_json
  // the newest checkpoint at or before `version` that was seen
  int64_t checkpoint_version = -1;
  // the version's own time, where commits have one and the commit was read
  std::optional<int64_t> commit_time_ms;

  bool column_mapping() const;
  bool deletion_vectors_enabled() const;
  /// Whether its rows keep their ids and versions.
  bool tracks_rows() const;
  /// Whether a column may take a wider type while files of the narrower one stay.
  bool widens_types() const;
  /// Whether each commit tells which rows it changed, and to what.
  bool keeps_feed() const;
  /// Whether each commit says its own time, later than that of the one before.
  bool stamps_commits() const;
};

/// One Delta table: reads its log, commits to it. Thread-safe as FileStore is; commits of one table
/// go through one thread.
class Table {
 public:
  /// `store` is rooted at the table.
  explicit Table(std::shared_ptr<store::FileStore> store) : store_(std::move(store)) {}

  /// Return the newest state; `known` (may be null) is advanced instead of read from scratch. Reads
  /// V1 and V2 checkpoints, commits of any writer. Errors: NOT_FOUND (no table here), DELTA_CORRUPT
  /// (a gap or a torn line), DELTA_UNSUPPORTED (a reader feature).
  Result<std::shared_ptr<const Snapshot>> Latest(
      const std::shared_ptr<const Snapshot>& known) const;
  /// Return the state at exactly this version. Errors: as Latest; NOT_FOUND also when the log no
  /// longer reaches it.
  Result<std::shared_ptr<const Snapshot>> At(int64_t version) const;

  /// Commit `actions` as version base->version + 1 (base null: version 0). An unknown outcome is
  /// resolved here by reading the version and comparing CommitInfo::txn_id; commit info is the
  /// first line, with a time of its own where the table asks for it.
  /// Returns the state after the commit. Errors: DELTA_CONFLICT (another writer has that version:
  /// plan again from Latest), DELTA_UNSUPPORTED (a writer feature), INTERNAL (a removed file is not
  /// live), STORE_*.
  Result<std::shared_ptr<const Snapshot>> Commit(const std::shared_ptr<const Snapshot>& base,
                                                 CommitInfo info, std::vector<Action> actions);

  /// Write a checkpoint of this state and `_last_checkpoint`. Losing it costs time, never rows.
  Status Checkpoint(const Snapshot& snapshot) const;

  const std::shared_ptr<store::FileStore>& store() const { return store_; }

 private:
  std::shared_ptr<store::FileStore> store_;
};

/// What a new table of ours says of itself. Errors: DELTA_UNSUPPORTED.
struct NewTable {
  std::vector<Column> columns;
  std::map<std::string, std::string> properties;
  bool column_mapping = false;
};
/// The metadata, with deletion vectors unless the properties say otherwise, and the protocol that
/// it needs.
std::pair<Protocol, Metadata> Describe(const NewTable& table, int64_t now_ms);

}  // namespace freshet::delta
