// SPDX-License-Identifier: Apache-2.0
#include "model/database.h"

#include <algorithm>
#include <functional>

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

void ReplayShape(Content& content, const Operation& operation) {
  const record::TableShape before = content.shape;
  content.shape = Reshaped(before, operation).value_or(before);
  if (const auto* added = std::get_if<AddColumn>(&operation)) {
    for (Row& row : content.rows) row.push_back(added->filled);
  } else if (const auto* dropped = std::get_if<DropColumn>(&operation)) {
    auto at = before.schema->GetFieldIndex(dropped->name);
    for (Row& row : content.rows) row.erase(row.begin() + at);
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
  } else {
    ReplayShape(content, operation);
  }
}

}  // namespace

Row KeyOf(const record::TableShape& shape, const Row& row) {
  if (shape.keyless()) return row;
  Row key;
  for (int ordinal : shape.key) key.push_back(row[static_cast<size_t>(ordinal)]);
  return key;
}

Row InShape(const Row& row, const record::TableShape& from, const record::TableShape& to) {
  Row moved(static_cast<size_t>(to.width()));
  for (size_t i = 0; i < moved.size(); ++i) {
    auto place = std::ranges::find(from.ids, to.ids[i]);
    auto at = static_cast<size_t>(place - from.ids.begin());
    if (place != from.ids.end() && at < row.size()) moved[i] = row[at];
  }
  return moved;
}

namespace {

record::TableShape WithColumn(record::TableShape shape, const AddColumn& added) {
  int32_t last = shape.last_column;
  for (const record::ColumnId& id : shape.ids) last = std::max(last, id.value());
  auto fields = shape.schema->fields();
  fields.push_back(arrow::field(added.name, added.type));
  shape.filled.resize(shape.ids.size());
  shape.filled.push_back(added.filled.kind != Cell::Kind::kNull);
  shape.schema = arrow::schema(std::move(fields));
  shape.ids.push_back(record::ColumnId(last + 1));
  shape.last_column = last + 1;
  return shape;
}

record::TableShape WithoutColumn(record::TableShape shape, const DropColumn& dropped) {
  int at = shape.schema->GetFieldIndex(dropped.name);
  FRESHET_ASSERT(at >= 0, "{}", dropped.name);
  for (const record::ColumnId& id : shape.ids)
    shape.last_column = std::max(shape.last_column, id.value());
  auto fields = shape.schema->fields();
  fields.erase(fields.begin() + at);
  shape.filled.resize(shape.ids.size());
  shape.filled.erase(shape.filled.begin() + at);
  shape.schema = arrow::schema(std::move(fields));
  shape.ids.erase(shape.ids.begin() + at);
  std::erase(shape.key, at);
  for (int& ordinal : shape.key) ordinal -= ordinal > at ? 1 : 0;
  return shape;
}

record::TableShape WithField(
    record::TableShape shape, const std::string& name,
    const std::function<std::shared_ptr<arrow::Field>(const std::shared_ptr<arrow::Field>&)>&
        change) {
  int at = shape.schema->GetFieldIndex(name);
  FRESHET_ASSERT(at >= 0, "{}", name);
  auto fields = shape.schema->fields();
  fields[static_cast<size_t>(at)] = change(fields[static_cast<size_t>(at)]);
  shape.schema = arrow::schema(std::move(fields));
  return shape;
}

}  // namespace

std::optional<record::TableShape> Reshaped(record::TableShape shape, const Operation& operation) {
  if (const auto* added = std::get_if<AddColumn>(&operation))
    return WithColumn(std::move(shape), *added);
  if (const auto* dropped = std::get_if<DropColumn>(&operation))
    return WithoutColumn(std::move(shape), *dropped);
  if (const auto* renamed = std::get_if<RenameColumn>(&operation)) {
    return WithField(std::move(shape), renamed->name,
                     [&](const auto& field) { return field->WithName(renamed->to); });
  }
  if (const auto* retyped = std::get_if<RetypeColumn>(&operation)) {
    return WithField(std::move(shape), retyped->name,
                     [&](const auto& field) { return field->WithType(retyped->type); });
  }
  if (const auto* key = std::get_if<ChangeKey>(&operation)) {
    shape.key.clear();
    for (const std::string& name : key->names)
      shape.key.push_back(shape.schema->GetFieldIndex(name));
    return shape;
  }
  return std::nullopt;
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
  MoveAside(name);
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

/// A table that was dropped keeps its log under a name that no other has.
void Database::MoveAside(const std::string& name) {
  auto content = At(name, last_position_);
  if (!content.ok() || !content->dropped) return;
  const std::string aside = fmt::format("{} {}", name, tables_.size());
  auto table = tables_.extract(name);
  table.key() = aside;
  tables_.insert(std::move(table));
  for (auto& [position, steps] : log_) {
    for (Step& step : steps) {
      if (step.table == name) step.table = aside;
    }
  }
}

Status Database::SetBase(const std::string& name, uint64_t position, std::vector<Row> rows) {
  auto found = tables_.find(name);
  if (found == tables_.end()) return Error(ErrorClass::INVALID_ARGUMENT, "no table: {}", name);
  found->second.base_position = position;
  found->second.base = std::move(rows);
  last_position_ = std::max(last_position_, position);
  return Status::Ok();
}

Status Database::Rename(const std::map<std::string, std::string>& names) {
  std::map<std::string, Table> renamed;
  for (const auto& [name, to] : names) {
    auto table = tables_.extract(name);
    if (table.empty()) return Error(ErrorClass::INVALID_ARGUMENT, "no table: {}", name);
    table.key() = to;
    table.mapped().first_shape.name.table = to;
    renamed.insert(std::move(table));
  }
  tables_.merge(renamed);
  if (!renamed.empty()) return Error(ErrorClass::INVALID_ARGUMENT, "two tables of one name");
  for (auto& [position, steps] : log_) {
    for (Step& step : steps) {
      auto name = names.find(step.table);
      if (name != names.end()) step.table = name->second;
    }
  }
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
