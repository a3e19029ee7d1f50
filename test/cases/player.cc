// SPDX-License-Identifier: Apache-2.0
#include "cases/player.h"

#include <algorithm>
#include <filesystem>

#include "delta/table.h"
#include "model/table_rows.h"

namespace freshet::cases {
namespace {

namespace fs = std::filesystem;

std::string Listed(const std::vector<model::Row>& rows) {
  std::string text;
  for (const model::Row& row : rows) text += fmt::format("\n      {}", model::ToText(row));
  return text.empty() ? " nothing" : text;
}

}  // namespace

Status Player::Play(std::string_view text) {
  FRESHET_TRY(auto statements, Parse(text));
  for (const Statement& statement : statements) {
    Status done = Do(statement);
    if (!done.ok()) {
      return std::move(done).With(
          "line", fmt::format("{}: {}", statement.head.number, statement.head.text));
    }
  }
  return Status::Ok();
}

Status Player::Do(const Statement& statement) {
  Words words(statement.head);
  FRESHET_TRY(auto verb, words.Any("verb"));
  if (verb == "table" && statement.head.text.find('(') != std::string::npos)
    return CreateTable(statement);
  if (verb == "table" && words.Take("lost")) {
    FRESHET_TRY(auto name, TableName(words));
    return Lose(words, model::World::TablePath("main", name));
  }
  if (verb == "table") return CheckTable(words, statement);
  if (verb == "told") return CheckTold(words, statement);
  if (verb == "stream" || verb == "snapshot" || verb == "changes" || verb == "slot" ||
      verb == "stale" || verb == "unreadable" || verb == "clock" || verb == "meanwhile" ||
      verb == "deselect" || verb == "rename") {
    return DoSource(words, statement, verb);
  }
  if (verb == "capture" || verb == "apply" || verb == "update" || verb == "wish" ||
      verb == "refresh")
    return DoRun(words, verb);
  return DoDamage(words, verb);
}

Status Player::DoSource(Words& words, const Statement& statement, const std::string& verb) {
  if (verb == "snapshot") return SetSnapshot(words, statement);
  if (verb == "changes" || verb == "meanwhile")
    return AddChanges(words, statement, verb == "meanwhile");
  if (verb == "rename") return Rename(words);
  if (verb == "deselect") {
    world_.source.script.deselected.clear();
    while (auto column = words.Name()) world_.source.script.deselected.insert(*column);
  } else if (verb == "stream") {
    FRESHET_TRY(auto position, words.Number("position"));
    world_.source.script.stream_from = static_cast<uint64_t>(position);
  } else if (verb == "clock") {
    FRESHET_TRY(auto position, words.Number("position"));
    FRESHET_TRY(auto as, words.Number("position"));
    world_.source.script.committed_as[static_cast<uint64_t>(position)] = static_cast<uint64_t>(as);
  } else if (verb == "stale" || verb == "unreadable") {
    if (!words.Take("at") || !words.Take("chunk"))
      return Error(ErrorClass::INVALID_ARGUMENT, "{} at chunk N", verb);
    FRESHET_TRY(auto chunk, words.Number("chunk"));
    world_.source.script.fail_chunk = {
        chunk, verb == "stale" ? ErrorClass::SNAPSHOT_STALE : ErrorClass::SOURCE_QUERY};
  } else if (words.Take("lost")) {
    world_.source.slot_lost = true;
  } else if (words.Take("moved")) {
    FRESHET_TRY(auto position, words.Number("position"));
    if (!world_.source.slot) return Error(ErrorClass::INVALID_ARGUMENT, "there is no slot yet");
    world_.source.slot->confirmed = static_cast<uint64_t>(position);
  }
  return words.Done();
}

Status Player::DoDamage(Words& words, const std::string& verb) {
  if (verb == "foreign") return Foreign(words);
  if (verb == "shadow" && words.Take("damaged")) {
    FRESHET_TRY(auto name, TableName(words));
    FRESHET_CHECK_OK(words.Done());
    return model::LoseData(store::Below(world_.store, model::World::ShadowPath("main", name)));
  }
  if (verb == "property" || verb == "comment" || verb == "commented" || verb == "has" ||
      verb == "times")
    return DoWords(words, verb);
  if (verb == "index") return Index(words);
  if (verb == "compaction") {
    FRESHET_TRY(auto files, words.Number("files"));
    world_.compaction = {.files_min = static_cast<size_t>(files), .bytes_min = 0, .commits_min = 1};
    return words.Done();
  }
  if (verb == "files") return CheckFiles(words);
  if (verb == "history") return SetHistory(words);
  if (verb == "drops") {
    if (!words.Take("inactive")) return Error(ErrorClass::INVALID_ARGUMENT, "drops inactive");
    world_.drop_inactive_columns = true;
    return words.Done();
  }
  if (verb == "policy") return SetPolicy(words);
  if (verb == "views" && words.Take("lost")) {
    world_.LoseViews();
    world_.source.script.rest_misses_changed = false;
    if (words.Take("behind")) {
      if (!words.Take("changes"))
        return Error(ErrorClass::INVALID_ARGUMENT, "views lost behind changes");
      world_.source.script.rest_misses_changed = true;
    }
    return words.Done();
  }
  if (verb == "staging" && words.Take("lost")) return Lose(words, "_freshet/staging");
  return Error(ErrorClass::INVALID_ARGUMENT, "no such statement: {}", verb);
}

Status Player::CreateTable(const Statement& statement) {
  const std::string& text = statement.head.text;
  size_t open = text.find('('), close = text.rfind(')');
  if (close == text.npos) return Error(ErrorClass::INVALID_ARGUMENT, "no ')'");
  std::string name = text.substr(6, text.find_last_not_of(' ', open - 1) - 5);
  std::vector<std::pair<std::string, std::shared_ptr<arrow::DataType>>> columns;
  std::vector<std::string> key;
  std::string column;
  int depth = 0;
  for (size_t i = open + 1; i <= close; ++i) {
    if ((text[i] == ',' && depth == 0) || i == close) {
      FRESHET_TRY(auto parts,
                  Parse(fmt::format("{}\n", column.substr(column.find_first_not_of(' ')))));
      Words words(parts.at(0).head);
      FRESHET_TRY(auto column_name, words.Any("column"));
      FRESHET_TRY(auto type_name, words.Any("type"));
      FRESHET_TRY(auto type, model::TypeOf(type_name));
      if (words.Take("key")) key.push_back(column_name);
      FRESHET_CHECK_OK(words.Done());
      columns.emplace_back(column_name, type);
      column.clear();
      continue;
    }
    depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    column += text[i];
  }
  int64_t chunk_rows = 1'000'000;
  if (size_t chunk = text.find(" chunk ", close); chunk != text.npos)
    chunk_rows = std::stoll(text.substr(chunk + 7));
  FRESHET_CHECK_OK(world_.database.CreateTable(name, columns, key, chunk_rows));
  bool logged = text.find(" without log", close) == text.npos;
  world_.database.tables().at(name).first_shape.logged = logged;
  return Status::Ok();
}

Result<std::string> Player::TableName(Words& words) {
  if (auto name = words.Name()) {
    if (!world_.database.tables().contains(*name))
      return Error(ErrorClass::INVALID_ARGUMENT, "no table: {}", *name);
    return *name;
  }
  std::vector<std::string> names;
  for (const auto& [name, table] : world_.database.tables()) {
    // Those that another took the place of have a space in theirs.
    if (name.find(' ') == name.npos) names.push_back(name);
  }
  if (names.size() != 1) return Error(ErrorClass::INVALID_ARGUMENT, "which table?");
  return names[0];
}

Result<model::Row> Player::CanonicalRow(const record::TableShape& shape, const model::Row& row,
                                        bool key_only) const {
  size_t width =
      key_only && !shape.keyless() ? shape.key.size() : static_cast<size_t>(shape.width());
  if (row.size() != width) {
    return Error(ErrorClass::INVALID_ARGUMENT, "{} values for {} columns: {}", row.size(), width,
                 model::ToText(row));
  }
  model::Row canonical;
  for (size_t i = 0; i < row.size(); ++i) {
    int field = key_only && !shape.keyless() ? shape.key[i] : static_cast<int>(i);
    FRESHET_TRY(auto cell, model::Canonical(row[i], shape.schema->field(field)->type()));
    canonical.push_back(std::move(cell));
  }
  return canonical;
}

Status Player::SetSnapshot(Words& words, const Statement& statement) {
  FRESHET_TRY(auto table, TableName(words));
  FRESHET_TRY(auto position, words.Number("position"));
  FRESHET_CHECK_OK(words.Done());
  FRESHET_TRY(auto content, world_.database.At(table, UINT64_MAX));
  std::vector<model::Row> rows;
  for (const Line& line : statement.rows) {
    Words cells(line);
    FRESHET_TRY(auto row, CanonicalRow(content.shape, cells.Cells(), false));
    FRESHET_CHECK_OK(cells.Done());
    rows.push_back(std::move(row));
  }
  world_.source.script.snapshot_at = static_cast<uint64_t>(position);
  return world_.database.SetBase(table, static_cast<uint64_t>(position), std::move(rows));
}

Status Player::CheckTable(Words& words, const Statement& statement) {
  FRESHET_TRY(auto table, TableName(words));
  std::string pipeline = "main";
  if (words.Take("of")) {
    FRESHET_TRY(pipeline, words.Any("pipeline"));
  }
  FRESHET_TRY(auto content, world_.database.At(table, UINT64_MAX));
  FRESHET_TRY(const auto ours, world_.HistoryColumns(pipeline, table));
  if (words.Take("columns")) {
    FRESHET_TRY(auto columns, world_.Columns(pipeline, table));
    columns.resize(columns.size() - ours.size());
    arrow::FieldVector fields;
    for (const auto& column : columns) {
      if (!words.Take(column.name))
        return Error(ErrorClass::INTERNAL, "the table has the column {}", column.name);
      fields.push_back(arrow::field(column.name, column.type));
    }
    content.shape.key.clear();
    content.shape.schema = arrow::schema(std::move(fields));
  }
  FRESHET_CHECK_OK(words.Done());
  std::vector<model::Row> expected;
  for (const Line& line : statement.rows) {
    Words cells(line);
    FRESHET_TRY(auto row, HistoryRow(content.shape, ours, cells.Cells()));
    FRESHET_CHECK_OK(cells.Done());
    expected.push_back(std::move(row));
  }
  FRESHET_TRY(auto found, world_.Read(pipeline, table));
  std::sort(expected.begin(), expected.end());
  std::sort(found.begin(), found.end());
  FRESHET_CHECK_OK(world_.CheckFeed(pipeline, table));
  if (found == expected) return Status::Ok();
  return Error(ErrorClass::INTERNAL,
               "the table holds other rows\n    expected:{}\n    found:{}\n   ", Listed(expected),
               Listed(found));
}

Status Player::SetPolicy(Words& words) {
  using capture::OnSchemaChange;
  FRESHET_TRY(auto name, words.Any("policy"));
  if (name == "reread") {
    world_.rereads_lost = true;
  } else if (name == "evolve" || name == "pause" || name == "ignore") {
    world_.on_schema_change = name == "evolve"  ? OnSchemaChange::kEvolve
                              : name == "pause" ? OnSchemaChange::kPause
                                                : OnSchemaChange::kIgnore;
  } else {
    return Error(ErrorClass::INVALID_ARGUMENT, "no such policy: {}", name);
  }
  return words.Done();
}

Status Player::CheckFiles(Words& words) {
  FRESHET_TRY(auto expected, words.Number("files"));
  FRESHET_TRY(auto table, TableName(words));
  FRESHET_CHECK_OK(words.Done());
  FRESHET_TRY(
      auto snapshot,
      delta::Table(store::Below(world_.store, world_.PathOf("main", table))).Latest(nullptr));
  if (std::ssize(snapshot->files) == expected) return Status::Ok();
  return Error(ErrorClass::INTERNAL, "the table has {} files", snapshot->files.size());
}

Result<Player::Expected> Player::ReadExpected(Words& words) {
  Expected expected;
  if (auto pipeline = words.Name()) expected.pipeline = *pipeline;
  while (!words.done()) {
    if (words.Take("commits")) {
      FRESHET_TRY(expected.commits, words.Number("commits"));
    } else if (words.Take("reads")) {
      FRESHET_TRY(expected.reads, words.Number("chunks"));
    } else if (words.Take("fails")) {
      FRESHET_TRY(expected.fails, words.Any("error class"));
      if (!ErrorClassOf(*expected.fails))
        return Error(ErrorClass::INVALID_ARGUMENT, "no class: {}", *expected.fails);
    } else if (words.Take("as")) {
      FRESHET_TRY(expected.generation, words.Number("generation"));
    } else if (words.Take("in")) {
      FRESHET_TRY(expected.in_table, words.Any("table"));
    } else if (words.Take("at") && words.Take("chunk")) {
      FRESHET_TRY(expected.chunk, words.Number("chunk"));
    } else if (words.Take("crash")) {
      expected.crash_after = words.Take("after");
      if (!expected.crash_after && !words.Take("before"))
        return Error(ErrorClass::INVALID_ARGUMENT, "crash when?");
      FRESHET_TRY(expected.crash, words.Any("path"));
    } else {
      return words.Done();
    }
  }
  return expected;
}

Status Player::DoRun(Words& words, const std::string& verb) {
  FRESHET_TRY(auto expected, ReadExpected(words));
  if (expected.chunk)
    world_.source.script.fail_chunk = {*expected.chunk, *ErrorClassOf(expected.fails.value_or(""))};
  bool crashed = false;
  if (expected.crash == "index") {
    world_.crash_at_ingest = 1;
  } else if (expected.crash) {
    world_.store->Restart([&](int64_t, const model::WriteCall& call) {
      if (crashed || call.path.find(*expected.crash) == std::string::npos)
        return model::Fault::kNone;
      crashed = true;
      return expected.crash_after ? model::Fault::kCrashAfter : model::Fault::kCrashBefore;
    });
  }
  int64_t read_before = world_.source.chunks_read;
  Status done = RunWith(expected, verb);
  int64_t reads = world_.source.chunks_read - read_before;
  crashed = crashed || world_.index_crashed;
  world_.store->Restart(nullptr);
  world_.index_crashed = false;
  world_.crash_at_ingest = 0;
  if (expected.crash && !crashed)
    return Error(ErrorClass::INTERNAL, "there was no crash: {}", done.ToString());
  if (expected.reads && *expected.reads != reads && (done.ok() || expected.crash)) {
    return Error(ErrorClass::INTERNAL, "{} chunks expected to be read, {} were", *expected.reads,
                 reads);
  }
  return expected.crash ? Status::Ok() : done;
}

Status Player::RunWith(const Expected& expected, const std::string& verb) {
  if (verb == "wish") return world_.Wish(expected.pipeline, false).status();
  if (verb == "refresh") return world_.Wish(expected.pipeline, true, expected.generation).status();
  model::Outcome outcome;
  if (verb == "capture") outcome.status = world_.Capture();
  if (verb == "apply") outcome = world_.Apply(expected.pipeline);
  if (verb == "update") outcome = world_.Update(expected.pipeline);
  return CheckOutcome(expected, outcome);
}

Status Player::CheckOutcome(const Expected& expected, const model::Outcome& outcome) {
  if (expected.in_table) {
    FRESHET_CHECK_OK(outcome.status);
    for (const auto& [table, status] : outcome.tables) {
      if (table == *expected.in_table && !status.ok() &&
          NameOf(status.error_class()) == *expected.fails)
        continue;
      if (table == *expected.in_table) {
        return Error(ErrorClass::INTERNAL, "should fail: {}", status.ToString());
      }
      FRESHET_CHECK_OK(status);
    }
  } else if (expected.fails) {
    Status first = outcome.First();
    if (first.ok() || NameOf(first.error_class()) != *expected.fails) {
      return Error(ErrorClass::INTERNAL, "should fail with {}: {}", *expected.fails,
                   first.ToString());
    }
  } else {
    FRESHET_CHECK_OK(outcome.First());
  }
  if (expected.commits && *expected.commits != outcome.commits) {
    return Error(ErrorClass::INTERNAL, "{} commits expected, {} made", *expected.commits,
                 outcome.commits);
  }
  return Status::Ok();
}

Status Player::Foreign(Words& words) {
  FRESHET_TRY(auto what, words.Any("optimize, vacuum, delete or restore"));
  FRESHET_TRY(auto name, words.Any("table"));
  auto table = store::Below(world_.store, model::World::TablePath("main", name));
  if (what == "optimize") return model::ForeignOptimize(table);
  if (what == "vacuum") return model::ForeignVacuum(table);
  if (what == "comment") {
    if (!words.Take("on")) return words.Done();
    FRESHET_TRY(auto column, words.Any("column"));
    FRESHET_TRY(auto text, words.Any("text"));
    return model::ForeignComment(table, column, text);
  }
  if (what == "property") {
    FRESHET_TRY(auto property, words.Any("property"));
    FRESHET_TRY(auto value, words.Any("value"));
    return model::ForeignProperty(table, property, value);
  }
  if (what == "restore") {
    FRESHET_TRY(auto back, words.Number("versions"));
    if (!words.Take("back")) return words.Done();
    return model::ForeignRestore(table, back);
  }
  if (what != "delete") return Error(ErrorClass::INVALID_ARGUMENT, "no such thing: {}", what);
  FRESHET_TRY(auto content, world_.database.At(name, UINT64_MAX));
  FRESHET_TRY(auto key, CanonicalRow(content.shape, words.Cells(), true));
  return model::ForeignDelete(table, key);
}

Status Player::Index(Words& words) {
  fs::path index = world_.IndexPath("main"), saved = index.string() + "-saved";
  if (!fs::exists(index)) return Error(ErrorClass::INVALID_ARGUMENT, "there is no index yet");
  if (words.Take("save")) {
    fs::remove_all(saved);
    fs::copy(index, saved, fs::copy_options::recursive);
  } else if (words.Take("restore")) {
    fs::remove_all(index);
    fs::copy(saved, index, fs::copy_options::recursive);
  } else if (words.Take("lost")) {
    fs::remove_all(index);
  }
  return words.Done();
}

Status Player::Lose(Words& words, const std::string& folder) {
  FRESHET_CHECK_OK(words.Done());
  FRESHET_TRY(auto files, world_.store->List(folder, "", 1'000'000, true));
  for (const auto& file : files) FRESHET_CHECK_OK(world_.store->Remove(file.path));
  return Status::Ok();
}

}  // namespace freshet::cases
