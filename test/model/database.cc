// SPDX-License-Identifier: Apache-2.0
#include "model/database.h"

#include <algorithm>

namespace freshet::model {
namespace {

std::vector<Row>::iterator Find(Content& content, const Row& key) {
  return std::find_if(content.rows.begin(), content.rows.end(),
                      [&](const Row& row) { return KeyOf(content.shape, row) == key; });
}

/// Take cells that were not sent from the former row, if there is one.
Row Filled(Row row, const Row* former) {
  for (size_t i = 0; i < row.size(); ++i) {
    if (row[i].kind == Cell::Kind::kUnsent)
      row[i] = former != nullptr ? (*former)[i] : Cell::Null();
  }
  return row;
}

void Upsert(Content& content, Row row) {
  auto found =
      content.shape.keyless() ? content.rows.end() : Find(content, KeyOf(content.shape, row));
  if (found == content.rows.end()) {
    content.rows.push_back(std::move(row));
  } else {
    *found = std::move(row);
  }
}

void Replay(Content& content, const Operation& operation) {
  if (const auto* insert = std::get_if<InsertRow>(&operation)) {
    Upsert(content, insert->row);
  } else if (const auto* update = std::get_if<UpdateRow>(&operation)) {
    auto found = Find(content, update->old_key.value_or(KeyOf(content.shape, update->row)));
    std::optional<Row> former;
    if (found != content.rows.end()) former = *found;
    Row row = Filled(update->row, former ? &*former : nullptr);
    if (update->old_key && found != content.rows.end()) content.rows.erase(found);
    Upsert(content, std::move(row));
  } else if (const auto* gone = std::get_if<DeleteRow>(&operation)) {
    if (auto found = Find(content, gone->key); found != content.rows.end())
      content.rows.erase(found);
  } else if (const auto* lost = std::get_if<LoseRow>(&operation)) {
    if (auto found = Find(content, lost->key); found != content.rows.end())
      content.rows.erase(found);
  } else if (const auto* joined = std::get_if<JoinRow>(&operation)) {
    Upsert(content, joined->row);
    ++content.partitions_joined;
  } else if (std::holds_alternative<Truncate>(operation)) {
    content.rows.clear();
  } else if (std::holds_alternative<Drop>(operation)) {
    content.dropped = true;
  } else if (const auto* added = std::get_if<AddColumn>(&operation)) {
    content.shape = WithColumn(std::move(content.shape), *added);
    for (Row& row : content.rows) row.push_back(Cell::Null());
  } else if (const auto* dropped = std::get_if<DropColumn>(&operation)) {
    auto at = content.shape.schema->GetFieldIndex(dropped->name);
    content.shape = WithoutColumn(std::move(content.shape), *dropped);
    for (Row& row : content.rows) row.erase(row.begin() + at);
  }
}

}  // namespace

Row KeyOf(const record::TableShape& shape, const Row& row) {
  if (shape.keyless()) return row;
  Row key;
  for (int ordinal : shape.key) key.push_back(row[static_cast<size_t>(ordinal)]);
  return key;
}

record::TableShape WithColumn(record::TableShape shape, const AddColumn& added) {
  int32_t last = 0;
  for (const record::ColumnId& id : shape.ids) last = std::max(last, id.value());
  auto fields = shape.schema->fields();
  fields.push_back(arrow::field(added.name, added.type));
  shape.schema = arrow::schema(std::move(fields));
  shape.ids.push_back(record::ColumnId(last + 1));
  return shape;
}

record::TableShape WithoutColumn(record::TableShape shape, const DropColumn& dropped) {
  int at = shape.schema->GetFieldIndex(dropped.name);
  FRESHET_ASSERT(at >= 0, "{}", dropped.name);
  auto fields = shape.schema->fields();
  fields.erase(fields.begin() + at);
  shape.schema = arrow::schema(std::move(fields));
  shape.ids.erase(shape.ids.begin() + at);
  for (int& ordinal : shape.key) ordinal -= ordinal > at ? 1 : 0;
  return shape;
}

Status Database::CreateTable(
    const std::string& name,
    const std::vector<std::pair<std::string, std::shared_ptr<arrow::DataType>>>& columns,
    const std::vector<std::string>& key, int64_t chunk_rows) {
  Table table;
  arrow::FieldVector fields;
  for (const auto& [column, type] : columns) {
    fields.push_back(arrow::field(column, type));
    table.first_shape.ids.push_back(record::ColumnId(static_cast<int32_t>(fields.size())));
  }
  table.first_shape.id = record::TableId(fmt::format("{}", 16384 + tables_.size()));
  table.first_shape.name = {.schema = "public", .table = name};
  table.first_shape.schema = arrow::schema(std::move(fields));
  for (const std::string& column : key) {
    table.first_shape.key.push_back(table.first_shape.schema->GetFieldIndex(column));
  }
  table.base_position = last_position_;
  table.chunk_rows = chunk_rows;
  FRESHET_CHECK_OK(record::CheckShape(table.first_shape));
  if (!tables_.emplace(name, std::move(table)).second) {
    return Error(ErrorClass::INVALID_ARGUMENT, "table is there already: {}", name);
  }
  return Status::Ok();
}

Status Database::SetBase(const std::string& name, uint64_t position, std::vector<Row> rows) {
  auto found = tables_.find(name);
  if (found == tables_.end()) return Error(ErrorClass::INVALID_ARGUMENT, "no table: {}", name);
  found->second.base_position = position;
  found->second.base = std::move(rows);
  last_position_ = std::max(last_position_, position);
  return Status::Ok();
}

Status Database::Add(uint64_t position, Step step) {
  if (!tables_.contains(step.table)) {
    return Error(ErrorClass::INVALID_ARGUMENT, "no table: {}", step.table);
  }
  log_[position].push_back(std::move(step));
  last_position_ = std::max(last_position_, position);
  return Status::Ok();
}

Result<Content> Database::At(const std::string& name, uint64_t position) const {
  auto found = tables_.find(name);
  if (found == tables_.end()) return Error(ErrorClass::NOT_FOUND, "no table: {}", name);
  const Table& table = found->second;
  Content content{.shape = table.first_shape, .rows = table.base};
  for (const auto& [at, steps] : log_) {
    if (at > position) break;
    if (at <= table.base_position) continue;
    for (const Step& step : steps) {
      if (step.table == name) Replay(content, step.operation);
    }
  }
  return content;
}

std::optional<std::string> Database::NameOf(const record::TableId& id) const {
  for (const auto& [name, table] : tables_) {
    if (table.first_shape.id == id) return name;
  }
  return std::nullopt;
}

}  // namespace freshet::model
