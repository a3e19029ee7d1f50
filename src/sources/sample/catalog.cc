// SPDX-License-Identifier: Apache-2.0
#include "sources/sample/catalog.h"

#include "sources/sample/types.h"

namespace freshet::sources::sample {
namespace {

/// `schema.table`; the last dot splits.
record::TableName NameOf(const std::string& text) {
  size_t dot = text.rfind('.');
  if (dot == std::string::npos) return {"default", text};
  return {text.substr(0, dot), text.substr(dot + 1)};
}

bool IsId(const std::string& text) {
  return !text.empty() && text.size() <= 64 &&
         text.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") ==
             std::string::npos;
}

Status ProblemOf(const record::TableShape& shape) {
  if (shape.keyless()) {
    return Error(ErrorClass::TABLE_NO_IDENTITY, "the table was created without a key")
        .With("table", shape.name.ToString())
        .WithRemedy(R"(Drop it and create it again with "key": ["column"], or exclude it.)");
  }
  return record::CheckShape(shape);
}

}  // namespace

const JournalTable* Catalog::Find(const std::string& name) const {
  auto found = tables_.find(name);
  return found == tables_.end() ? nullptr : &found->second;
}

const JournalTable* Catalog::Find(const record::TableId& id) const {
  for (const auto& [name, table] : tables_) {
    if (table.shape.id == id) return &table;
  }
  return nullptr;
}

Status Catalog::AddColumn(const Json& column, JournalTable* table) {
  if (!column.is_array() || column.size() != 2 || !column[0].is_string() || !column[1].is_string())
    return Error(ErrorClass::DATA_CORRUPT, "a column is not [name, type]: {}",
                 table->shape.name.ToString());
  auto type_name = column[1].get<std::string>();
  FRESHET_TRY(auto type, TypeOf(type_name));
  record::TableShape& shape = table->shape;
  auto fields = shape.schema == nullptr ? arrow::FieldVector() : shape.schema->fields();
  fields.push_back(arrow::field(column[0].get<std::string>(), std::move(type)));
  shape.ids.emplace_back(static_cast<int32_t>(fields.size()));  // columns are only added
  shape.source_types.push_back(std::move(type_name));
  shape.schema = arrow::schema(std::move(fields));
  return Status::Ok();
}

Status Catalog::Create(const Json& change, const std::string& name) {
  std::string id = TextOf(change, "id");
  auto columns = change.find("columns");
  if (tables_.contains(name) || !IsId(id) || columns == change.end() || !columns->is_array() ||
      columns->empty()) {
    return Error(ErrorClass::DATA_CORRUPT,
                 "a table is created twice, without an id of letters, digits, - and _, or without "
                 "columns: {}",
                 name);
  }
  JournalTable table;
  table.shape.id = record::TableId(id);
  table.shape.name = NameOf(name);
  for (const auto& column : *columns) FRESHET_CHECK_OK(AddColumn(column, &table));
  auto key = change.find("key");
  for (const auto& part : key != change.end() ? *key : Json::array()) {
    int ordinal =
        part.is_string() ? table.shape.schema->GetFieldIndex(part.get<std::string>()) : -1;
    if (ordinal < 0)
      return Error(ErrorClass::DATA_CORRUPT, "a part of the key is no column: {}", name);
    table.shape.key.push_back(ordinal);
  }
  table.problem = ProblemOf(table.shape);
  tables_[name] = std::move(table);
  return Status::Ok();
}

Status Catalog::Apply(const Json& change) {
  std::string op = TextOf(change, "op"), name = TextOf(change, "table");
  if (op == "create") return Create(change, name);
  auto found = tables_.find(name);
  if (found == tables_.end())
    return Error(ErrorClass::DATA_CORRUPT, "a change of a table that is not there: {}", name);
  JournalTable& table = found->second;
  if (op == "drop") {
    tables_.erase(found);
  } else if (op == "add") {
    auto column = change.find("column");
    FRESHET_CHECK_OK(AddColumn(column == change.end() ? Json() : *column, &table));
    table.problem = ProblemOf(table.shape);
  } else if (op == "truncate") {
    table.rows = 0;
  } else if (op == "insert" || op == "update" || op == "delete") {
    table.rows += op == "insert" ? 1 : op == "delete" ? -1 : 0;
  } else {
    return Error(ErrorClass::DATA_CORRUPT, "no op is called {}", op).With("table", name);
  }
  return Status::Ok();
}

Result<JournalEnd> ReadToEnd(JournalReader* reader, uint64_t through) {
  JournalEnd end;
  end.number = reader->base();
  while (true) {
    FRESHET_TRY(auto transaction, reader->Next());
    if (!transaction || transaction->number > through) return end;
    for (const auto& change : transaction->changes) {
      Status status = end.catalog.Apply(change);
      if (!status.ok())
        return std::move(status).With("transaction", std::to_string(transaction->number));
    }
    end.number = transaction->number;
    end.mark = std::move(transaction->mark);
  }
}

}  // namespace freshet::sources::sample
