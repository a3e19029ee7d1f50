// SPDX-License-Identifier: Apache-2.0
// Statements about what tables say beside their rows: comments, properties, times of commits.
#include <algorithm>

#include "cases/player.h"
#include "delta/log.h"
#include "delta/table.h"
#include "parquet/reader.h"
#include "record/arrow_status.h"

namespace freshet::cases {
namespace {

Status Differs(std::string_view what, std::string_view found) {
  return Error(ErrorClass::INTERNAL, "{} is another: '{}'", what, found);
}

/// The comment that a schema's JSON gives a column; empty: none.
std::string CommentOf(const delta::Column& column) {
  const std::string& json = column.other_metadata_json;
  const std::string before = R"("comment":")";
  const size_t at = json.find(before);
  if (at == json.npos) return "";
  const size_t from = at + before.size();
  return json.substr(from, json.find('"', from) - from);
}

}  // namespace

Status Player::DoWords(Words& words, const std::string& verb) {
  if (verb == "property") return SetProperty(words);
  if (verb == "comment") return SetComment(words);
  if (verb == "commented") return CheckComment(words);
  if (verb == "times") return CheckTimes(words);
  return CheckProperty(words);
}

Status Player::SetProperty(Words& words) {
  FRESHET_TRY(auto name, words.Any("property"));
  FRESHET_TRY(world_.properties[name], words.Any("value"));
  return words.Done();
}

Status Player::SetComment(Words& words) {
  FRESHET_TRY(auto name, words.Any("table"));
  auto& comments = world_.database.tables().at(name).comments;
  std::string* comment = &comments.table;
  if (words.Take("on")) {
    FRESHET_TRY(auto column, words.Any("column"));
    FRESHET_TRY(auto content, world_.database.At(name, UINT64_MAX));
    const int at = content.shape.schema->GetFieldIndex(column);
    if (at < 0) return Error(ErrorClass::INVALID_ARGUMENT, "no column: {}", column);
    const auto id = content.shape.ids[static_cast<size_t>(at)];
    comment = &comments.columns[id];
    if (words.done()) comments.columns.erase(id);
  }
  if (words.done()) {
    comments.table = comment == &comments.table ? "" : comments.table;
    return Status::Ok();
  }
  FRESHET_TRY(*comment, words.Any("text"));
  return words.Done();
}

Status Player::CheckComment(Words& words) {
  FRESHET_TRY(auto name, words.Any("table"));
  const delta::Table table(store::Below(world_.store, world_.PathOf("main", name)));
  FRESHET_TRY(auto snapshot, table.Latest(nullptr));
  std::string found = snapshot->metadata.description;
  if (words.Take("on")) {
    FRESHET_TRY(auto wanted, words.Any("column"));
    for (const auto& column : snapshot->columns) {
      if (column.name == wanted) found = CommentOf(column);
    }
  }
  std::string expected;
  if (!words.done()) {
    FRESHET_TRY(expected, words.Any("text"));
  }
  return found == expected ? words.Done() : Differs("the comment", found);
}

Status Player::CheckProperty(Words& words) {
  FRESHET_TRY(auto table_name, words.Any("table"));
  FRESHET_TRY(auto name, words.Any("property"));
  FRESHET_TRY(auto expected, words.Any("value"));
  const delta::Table table(store::Below(world_.store, world_.PathOf("main", table_name)));
  FRESHET_TRY(auto snapshot, table.Latest(nullptr));
  auto found = snapshot->metadata.configuration.find(name);
  const bool is_there = found != snapshot->metadata.configuration.end();
  if (is_there && found->second == expected) return words.Done();
  return Differs(name, is_there ? found->second : "nothing");
}

/// From the version that turned them on, each commit has a time of its own, later than the one
/// before, as its first word.
Status Player::CheckTimes(Words& words) {
  FRESHET_TRY(auto name, words.Any("table"));
  FRESHET_TRY(const int64_t first, words.Number("version"));
  auto store = store::Below(world_.store, world_.PathOf("main", name));
  FRESHET_TRY(auto snapshot, delta::Table(store).Latest(nullptr));
  int64_t before = 0;
  for (int64_t version = 0; version <= snapshot->version; ++version) {
    FRESHET_TRY(auto actions, delta::ReadCommit(*store, version));
    const auto* info = std::get_if<delta::CommitInfo>(&actions.at(0));
    if (info == nullptr) return Error(ErrorClass::INTERNAL, "version {} says nothing", version);
    if (info->in_commit_at_ms.has_value() != (version >= first))
      return Error(ErrorClass::INTERNAL, "version {} should not say so", version);
    if (version < first) continue;
    if (*info->in_commit_at_ms <= before)
      return Error(ErrorClass::INTERNAL, "version {} is not later", version);
    before = *info->in_commit_at_ms;
  }
  return words.Done();
}

namespace {

using ToldRow = std::pair<std::string, model::Row>;

/// The rows that the newest version's files of changes tell, each behind a sign for what became of
/// it.
Result<std::vector<ToldRow>> ToldBy(const std::shared_ptr<store::FileStore>& store) {
  FRESHET_TRY(auto snapshot, delta::Table(store).Latest(nullptr));
  FRESHET_TRY(auto actions, delta::ReadCommit(*store, snapshot->version));
  arrow::FieldVector fields;
  for (const auto& column : snapshot->columns)
    fields.push_back(arrow::field(column.physical, column.type));
  fields.push_back(arrow::field("_change_type", arrow::utf8()));
  static const std::map<std::string, std::string> kSigns = {
      {"insert", "+"}, {"delete", "-"}, {"update_preimage", "<"}, {"update_postimage", ">"}};
  std::vector<ToldRow> told;
  for (const auto& action : actions) {
    const auto* change = std::get_if<delta::ChangeFile>(&action);
    if (change == nullptr) continue;
    FRESHET_TRY(auto reader, parquet::Reader::Open(store, change->path));
    for (int group = 0; group < reader->row_groups(); ++group) {
      FRESHET_TRY(auto batch, reader->Read(group, fields));
      FRESHET_TRY(auto rows, model::RowsOf(*batch));
      for (auto& row : rows) {
        const std::string sign = kSigns.at(row.back().text);
        row.pop_back();
        told.emplace_back(sign, std::move(row));
      }
    }
  }
  return told;
}

std::string Listed(const std::vector<ToldRow>& rows) {
  std::string text;
  for (const auto& [sign, row] : rows)
    text += fmt::format("\n      {} {}", sign, model::ToText(row));
  return text.empty() ? " nothing" : text;
}

}  // namespace

Status Player::CheckTold(Words& words, const Statement& statement) {
  FRESHET_TRY(auto name, words.Any("table"));
  FRESHET_CHECK_OK(words.Done());
  FRESHET_TRY(auto content, world_.database.At(name, UINT64_MAX));
  FRESHET_TRY(const auto ours, world_.HistoryColumns("main", name));
  std::vector<ToldRow> expected;
  for (const Line& line : statement.rows) {
    Words cells(line);
    FRESHET_TRY(auto sign, cells.Any("+, -, < or >"));
    FRESHET_TRY(auto row, HistoryRow(content.shape, ours, cells.Cells()));
    expected.emplace_back(std::move(sign), std::move(row));
  }
  FRESHET_TRY(auto told, ToldBy(store::Below(world_.store, world_.PathOf("main", name))));
  std::ranges::sort(expected);
  std::ranges::sort(told);
  if (told == expected) return Status::Ok();
  return Error(ErrorClass::INTERNAL, "other changes are told\n    expected:{}\n    told:{}\n   ",
               Listed(expected), Listed(told));
}

}  // namespace freshet::cases
