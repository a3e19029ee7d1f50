// SPDX-License-Identifier: Apache-2.0
// Statements about what happens to tables at the source.
#include "cases/player.h"

namespace freshet::cases {

Status Player::AddChanges(Words& words, const Statement& statement, bool meanwhile) {
  FRESHET_TRY(auto table, TableName(words));
  FRESHET_CHECK_OK(words.Done());
  std::optional<int64_t> position;
  std::vector<std::pair<uint64_t, model::Step>> later;
  model::Database then = world_.database;
  model::Database& database = meanwhile ? then : world_.database;
  for (const Line& line : statement.rows) {
    if (auto own = Words(line).Position()) position = own;
    if (!position) return Error(ErrorClass::INVALID_ARGUMENT, "no position: {}", line.text);
    const auto at = static_cast<uint64_t>(*position);
    FRESHET_TRY(auto content, database.At(table, at));
    FRESHET_TRY(auto step, StepOf(table, content.shape, line));
    if (meanwhile) later.emplace_back(at, step);
    FRESHET_CHECK_OK(database.Add(at, std::move(step)));
  }
  if (!meanwhile) return Status::Ok();
  world_.source.script.after_snapshot = [this, later = std::move(later)] {
    for (const auto& [at, step] : later) {
      Status added = world_.database.Add(at, step);
      FRESHET_ASSERT(added.ok(), "{}", added.ToString());
    }
  };
  return Status::Ok();
}

Status Player::Rename(Words& words) {
  std::map<std::string, std::string> names;
  while (!words.done()) {
    FRESHET_TRY(auto name, words.Any("table"));
    FRESHET_TRY(names[name], words.Any("new name"));
  }
  return world_.database.Rename(names);
}

namespace {

/// The rest of a line that changes columns or key.
Result<model::Operation> ShapeStepOf(const std::string& verb, Words& words) {
  using model::Operation;
  if (verb == "key") {
    model::ChangeKey key;
    while (auto name = words.Name()) key.names.push_back(*name);
    return Operation(std::move(key));
  }
  if (verb != "drop" && !words.Take("column"))
    return Error(ErrorClass::INVALID_ARGUMENT, "{} column NAME …", verb);
  FRESHET_TRY(auto name, words.Any("column"));
  if (verb == "drop") return Operation(model::DropColumn{name});
  if (verb == "rename") {
    FRESHET_TRY(auto to, words.Any("new name"));
    return Operation(model::RenameColumn{name, to});
  }
  FRESHET_TRY(auto type_name, words.Any("type"));
  FRESHET_TRY(auto type, model::TypeOf(type_name));
  if (verb == "retype") return Operation(model::RetypeColumn{name, type});
  model::AddColumn added{name, type};
  if (words.Take("default")) {
    FRESHET_TRY(auto text, words.Any("value"));
    FRESHET_TRY(added.filled, model::Canonical(model::Cell::Of(text), type));
  }
  return Operation(std::move(added));
}

}  // namespace

Result<model::Step> Player::StepOf(const std::string& table, const record::TableShape& shape,
                                   const Line& line) {
  Words words(line);
  FRESHET_TRY(auto verb, words.Any("change"));
  auto cells = [&](bool key_only) { return CanonicalRow(shape, words.Cells(), key_only); };
  if (verb == "truncate") return model::Step{table, model::Truncate{}};
  if (verb == "drop" && !words.Take("column")) return model::Step{table, model::Drop{}};
  if (verb == "drop" || verb == "add" || verb == "rename" || verb == "retype" || verb == "key") {
    FRESHET_TRY(auto operation, ShapeStepOf(verb, words));
    return model::Step{table, std::move(operation)};
  }
  if (verb == "lose") {
    FRESHET_TRY(auto key, cells(true));
    return model::Step{table, model::LoseRow{key}};
  }
  if (verb == "join") {
    FRESHET_TRY(auto row, cells(false));
    return model::Step{table, model::JoinRow{row}};
  }
  if (verb == "+") {
    FRESHET_TRY(auto row, cells(false));
    return model::Step{table, model::InsertRow{row}};
  }
  if (verb == "-") {
    FRESHET_TRY(auto key, cells(true));
    return model::Step{table, model::DeleteRow{key}};
  }
  if (verb != "~") return Error(ErrorClass::INVALID_ARGUMENT, "no such change: {}", line.text);
  model::Row first = words.Cells();
  if (words.Take("->")) {
    FRESHET_TRY(auto old_key, CanonicalRow(shape, first, true));
    FRESHET_TRY(auto row, cells(false));
    return model::Step{table, model::UpdateRow{row, old_key}};
  }
  FRESHET_TRY(auto row, CanonicalRow(shape, first, false));
  return model::Step{table, model::UpdateRow{row, std::nullopt}};
}

}  // namespace freshet::cases
