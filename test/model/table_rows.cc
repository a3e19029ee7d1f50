// SPDX-License-Identifier: Apache-2.0
#include "model/table_rows.h"

#include <set>

#include "base/random.h"
#include "delta/deletion_vector.h"
#include "delta/features.h"
#include "delta/stats.h"
#include "delta/table.h"
#include "parquet/encoder.h"
#include "parquet/reader.h"
#include "record/arrow_status.h"

namespace freshet::model {
namespace {

using delta::AddFile;
using delta::RemoveFile;
using Snapshot = std::shared_ptr<const delta::Snapshot>;

arrow::FieldVector PhysicalFields(const delta::Snapshot& snapshot) {
  arrow::FieldVector fields;
  for (const auto& column : snapshot.columns) {
    fields.push_back(arrow::field(column.physical, column.type));
  }
  return fields;
}

Result<delta::DeletionVector> VectorOf(store::FileStore& table, const AddFile& file) {
  if (!file.deletion_vector) return delta::DeletionVector();
  return delta::DeletionVector::Load(table, *file.deletion_vector);
}

/// Read a file's rows, dead ones too.
Result<std::vector<Row>> FileRows(const std::shared_ptr<store::FileStore>& table,
                                  const delta::Snapshot& snapshot, const AddFile& file) {
  FRESHET_TRY(auto reader, parquet::Reader::Open(table, file.path));
  std::vector<Row> rows;
  for (int group = 0; group < reader->row_groups(); ++group) {
    FRESHET_TRY(auto batch, reader->Read(group, PhysicalFields(snapshot)));
    FRESHET_TRY(auto part, RowsOf(*batch));
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return rows;
}

Result<std::vector<Row>> RowsAt(const std::shared_ptr<store::FileStore>& table,
                                const delta::Snapshot& snapshot) {
  std::vector<Row> live;
  for (const auto& [path, file] : snapshot.files) {
    FRESHET_TRY(auto dead, VectorOf(*table, file));
    FRESHET_TRY(auto rows, FileRows(table, snapshot, file));
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!dead.Contains(i)) live.push_back(std::move(rows[i]));
    }
  }
  return live;
}

RemoveFile Removal(const AddFile& file, bool data_change) {
  RemoveFile remove;
  remove.path = file.path;
  remove.deleted_at_ms = 1;
  remove.data_change = data_change;
  remove.partition_values = file.partition_values;
  remove.bytes = file.bytes;
  remove.deletion_vector = file.deletion_vector;
  return remove;
}

delta::CommitInfo Foreign(std::string operation) {
  return {.at_ms = 1,
          .operation = std::move(operation),
          .txn_id = RandomUuid(),
          .engine = "another engine"};
}

}  // namespace

Result<std::vector<Row>> LiveRows(std::shared_ptr<store::FileStore> table) {
  FRESHET_TRY(auto snapshot, delta::Table(table).Latest(nullptr));
  return RowsAt(table, *snapshot);
}

Status ForeignOptimize(std::shared_ptr<store::FileStore> table) {
  delta::Table log(table);
  FRESHET_TRY(auto snapshot, log.Latest(nullptr));
  FRESHET_TRY(auto rows, RowsAt(table, *snapshot));
  std::vector<std::string> names;
  std::vector<record::ColumnId> ids;
  for (const auto& column : snapshot->columns) {
    names.push_back(column.physical);
    ids.push_back(column.id);
  }
  auto schema = arrow::schema(PhysicalFields(*snapshot));
  FRESHET_TRY(auto encoder, parquet::Encoder::Make(schema, names, ids));
  FRESHET_TRY(auto batch, BatchOf(rows, schema));
  FRESHET_CHECK_OK(encoder->Write(batch));
  FRESHET_TRY(auto encoded, encoder->Finish());
  std::string path = fmt::format("part-foreign-{}.parquet", RandomUuid());
  FRESHET_CHECK_OK(table->Put(path, std::string_view(*encoded.bytes), store::If::kAbsent));
  std::vector<delta::Action> actions;
  for (const auto& [name, file] : snapshot->files) actions.push_back(Removal(file, false));
  AddFile add;
  add.path = path;
  add.bytes = encoded.bytes->size();
  add.modified_at_ms = 1;
  add.data_change = false;
  add.stats_json = delta::StatsJson(encoded.statistics, snapshot->columns, true);
  actions.push_back(std::move(add));
  return log.Commit(snapshot, Foreign("OPTIMIZE"), std::move(actions)).status();
}

Status ForeignVacuum(std::shared_ptr<store::FileStore> table) {
  FRESHET_TRY(auto snapshot, delta::Table(table).Latest(nullptr));
  std::set<std::string> named;
  for (const auto& [path, file] : snapshot->files) {
    named.insert(path);
    if (!file.deletion_vector) continue;
    auto vector = delta::StoredPath(*file.deletion_vector);
    if (vector) named.insert(*vector);
  }
  FRESHET_TRY(auto files, table->List("", "", 1'000'000));
  for (const auto& file : files) {
    bool stays = file.path.ends_with('/') || named.contains(file.path);
    if (!stays) FRESHET_CHECK_OK(table->Remove(file.path));
  }
  return Status::Ok();
}

Status LoseData(std::shared_ptr<store::FileStore> table) {
  FRESHET_TRY(auto files, table->List("", "", 1'000'000));
  for (const auto& file : files) {
    if (!file.path.ends_with('/')) FRESHET_CHECK_OK(table->Remove(file.path));
  }
  return Status::Ok();
}

Status ForeignDelete(std::shared_ptr<store::FileStore> table, const Row& first_columns) {
  delta::Table log(table);
  FRESHET_TRY(auto snapshot, log.Latest(nullptr));
  std::vector<delta::Action> actions;
  for (const auto& [name, file] : snapshot->files) {
    FRESHET_TRY(auto dead, VectorOf(*table, file));
    FRESHET_TRY(auto rows, FileRows(table, *snapshot, file));
    int64_t before = dead.cardinality();
    for (size_t i = 0; i < rows.size(); ++i) {
      Row first(rows[i].begin(), rows[i].begin() + std::ssize(first_columns));
      if (first == first_columns) dead.Add(i);
    }
    if (dead.cardinality() == before) continue;
    FRESHET_TRY(auto written, delta::DeletionVector::Write(*table, {dead}));
    actions.push_back(Removal(file, true));
    AddFile add = file;
    add.data_change = true;
    add.deletion_vector = written[0];
    add.stats_json = delta::WithoutTightBounds(file.stats_json);
    actions.push_back(std::move(add));
  }
  return log.Commit(snapshot, Foreign("DELETE"), std::move(actions)).status();
}

Status ForeignComment(std::shared_ptr<store::FileStore> table, const std::string& column,
                      const std::string& text) {
  delta::Table log(table);
  FRESHET_TRY(auto snapshot, log.Latest(nullptr));
  auto columns = snapshot->columns;
  for (auto& each : columns) {
    if (each.name == column) each.other_metadata_json = fmt::format(R"({{"comment":"{}"}})", text);
  }
  delta::Metadata metadata = snapshot->metadata;
  metadata.schema_json = delta::ColumnsToJson(columns, snapshot->column_mapping());
  return log.Commit(snapshot, Foreign("CHANGE COLUMN"), {std::move(metadata)}).status();
}

Status ForeignProperty(std::shared_ptr<store::FileStore> table, const std::string& name,
                       const std::string& value) {
  delta::Table log(table);
  FRESHET_TRY(auto snapshot, log.Latest(nullptr));
  delta::Metadata metadata = snapshot->metadata;
  metadata.configuration[name] = value;
  auto protocol = delta::ProtocolFor(metadata, snapshot->columns, &snapshot->protocol);
  return log
      .Commit(snapshot, Foreign("SET TBLPROPERTIES"), {std::move(protocol), std::move(metadata)})
      .status();
}

Status ForeignRestore(std::shared_ptr<store::FileStore> table, int64_t back) {
  delta::Table log(table);
  FRESHET_TRY(auto snapshot, log.Latest(nullptr));
  FRESHET_TRY(auto former, log.At(snapshot->version - back));
  std::vector<delta::Action> actions;
  for (const auto& [path, file] : snapshot->files) {
    auto kept = former->files.find(path);
    if (kept == former->files.end() || kept->second.deletion_vector != file.deletion_vector) {
      actions.push_back(Removal(file, true));
    }
  }
  for (const auto& [path, file] : former->files) {
    auto kept = snapshot->files.find(path);
    if (kept == snapshot->files.end() || kept->second.deletion_vector != file.deletion_vector) {
      AddFile add = file;
      add.data_change = true;
      actions.push_back(std::move(add));
    }
  }
  return log.Commit(snapshot, Foreign("RESTORE"), std::move(actions)).status();
}

}  // namespace freshet::model
