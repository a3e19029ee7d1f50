// SPDX-License-Identifier: Apache-2.0
// Statements about what tables say beside their rows: comments, properties, times of commits.
#include "cases/player.h"
#include "delta/log.h"
#include "delta/table.h"

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
  const delta::Table table(store::Below(world_.store, model::World::TablePath("main", name)));
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
  const delta::Table table(store::Below(world_.store, model::World::TablePath("main", table_name)));
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
  auto store = store::Below(world_.store, model::World::TablePath("main", name));
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

}  // namespace freshet::cases
