// SPDX-License-Identifier: Apache-2.0
#include "capture/tables.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/limits.h"
#include "capture/ignored_columns.h"
#include "capture/shape_change.h"

namespace freshet::capture {
Sequence AfterEverything() {
  Sequence last;
  last.bytes.fill(0xFF);
  return last;
}

Tables::Tables(Context context) : context_(context) {
  for (const auto& [table, state] : context_.writer->checkpoint().tables) {
    if (state.broken || state.dropped || !state.shape) continue;
    auto kept = *state.shape;
    kept.memo = state.memo;
    auto shape = std::make_shared<const record::TableShape>(std::move(kept));
    shapes_[table] = {.staged = shape, .source = shape};
  }
}

const std::shared_ptr<const record::TableShape>& Tables::shape(const TableId& table) const {
  auto found = shapes_.find(table);
  FRESHET_ASSERT(found != shapes_.end());
  return found->second.staged;
}

std::vector<std::shared_ptr<const record::TableShape>> Tables::shapes() const {
  std::vector<std::shared_ptr<const record::TableShape>> shapes;
  for (const auto& [table, followed] : shapes_) shapes.push_back(followed.staged);
  return shapes;
}

std::vector<std::shared_ptr<const record::TableShape>> Tables::logged_shapes() const {
  auto logged = shapes();
  std::erase_if(logged, [](const auto& shape) { return !shape->logged; });
  return logged;
}

std::vector<std::shared_ptr<const record::TableShape>> Tables::watched(
    const std::vector<Fresh>& fresh) const {
  auto watched = shapes();
  for (const auto& [table, shape] : put_off_) watched.push_back(shape);
  std::erase_if(watched, [&](const auto& shape) {
    return std::any_of(fresh.begin(), fresh.end(),
                       [&](const Fresh& each) { return each.shape->id == shape->id; });
  });
  for (const auto& each : fresh) watched.push_back(each.shape);
  std::erase_if(watched, [](const auto& shape) { return !shape->logged; });
  return watched;
}

std::shared_ptr<const record::TableShape> Tables::Numbered(record::TableShape shape) const {
  const auto& tables = context_.writer->checkpoint().tables;
  auto known = tables.find(shape.id);
  shape.version =
      known != tables.end() && known->second.shape ? known->second.shape->version + 1 : 1;
  return std::make_shared<const record::TableShape>(std::move(shape));
}

void Tables::Follow(Fresh fresh) {
  const auto& shape = fresh.shape;
  const bool anew = put_off_.erase(shape->id) > 0;
  context_.writer->Note(
      staging::TableListed{.table = shape->id, .name = shape->name, .former = fresh.former});
  context_.writer->Note(staging::ShapeNoted{.shape = *shape, .at = {}});
  context_.Tell("table_found", {{"table", shape->name.ToString()},
                                {"id", shape->id.value()},
                                {"columns", static_cast<int64_t>(shape->width())},
                                {"logged", shape->logged}});
  ForgetMemo(shape->id);
  shapes_[shape->id] = {.staged = shape, .source = shape, .anew = anew};
  TakeImprint(*shape);
  if (fresh.partitions) TakePartitions(shape->id, *fresh.partitions);
}

void Tables::Join(Fresh joined) {
  const auto& shape = joined.shape;
  context_.writer->Note(staging::ShapeNoted{.shape = *shape, .at = {}});
  ForgetMemo(shape->id);
  shapes_[shape->id] = {.staged = shape, .source = shape};
  TakeImprint(*shape);
  if (joined.partitions) TakePartitions(shape->id, *joined.partitions);
}

void Tables::Rename(const TableId& table, const record::TableName& name) {
  Followed& followed = shapes_.at(table);
  context_.Tell("table_renamed",
                {{"table", name.ToString()}, {"before", followed.staged->name.ToString()}});
  context_.writer->Note(staging::TableListed{.table = table, .name = name, .former = {}});
  record::TableShape shape = *followed.staged;
  shape.name = name;
  followed.staged = std::make_shared<const record::TableShape>(std::move(shape));
}

void Tables::TakeMemo(const TableId& table, const std::string& memo) {
  FRESHET_ASSERT(memo.size() <= limits::kTableMemoBytesMax);
  Followed& followed = shapes_.at(table);
  if (followed.staged->memo == memo) return;
  context_.writer->Note(staging::MemoNoted{.table = table, .memo = memo});
  record::TableShape shape = *followed.staged;
  shape.memo = memo;
  followed.staged = std::make_shared<const record::TableShape>(std::move(shape));
}

void Tables::ForgetMemo(const TableId& table) const {
  if (!context_.writer->checkpoint().tables.at(table).memo.empty())
    context_.writer->Note(staging::MemoNoted{.table = table, .memo = {}});
}

void Tables::PutOff(const TableId& table) { put_off_[table] = Take(table); }

std::shared_ptr<const record::TableShape> Tables::Take(const TableId& table) {
  if (auto found = shapes_.find(table); found != shapes_.end()) {
    auto shape = found->second.staged;
    shapes_.erase(found);
    return shape;
  }
  auto found = put_off_.find(table);
  if (found == put_off_.end()) return nullptr;
  auto shape = found->second;
  put_off_.erase(found);
  return shape;
}

void Tables::Break(const TableId& table, const Status& why) {
  auto shape = Take(table);
  if (shape == nullptr) return;
  changed_ = true;
  NoteEnd(table, shape->name, why);
}

void Tables::NoteEnd(const TableId& table, const record::TableName& name, const Status& why) const {
  std::string error_class(NameOf(why.error_class())), remedy(why.remedy());
  context_.writer->Note(staging::TableBroken{
      .table = table, .error_class = error_class, .message = why.message(), .remedy = remedy});
  context_.Tell("table_broken", {{"table", name.ToString()},
                                 {"class", error_class},
                                 {"reason", why.message()},
                                 {"remedy", remedy}});
}

void Tables::Drop(const TableId& table, Sequence at, UtcMicros committed_at) {
  auto shape = Take(table);
  if (shape == nullptr) return;
  context_.Tell("table_dropped", {{"table", shape->name.ToString()}});
  changed_ = true;
  context_.writer->Note(staging::TableEnded{.kind = record::TableEnd::Kind::kDropped,
                                            .table = table,
                                            .at = at,
                                            .committed_at = committed_at});
}

Result<std::optional<record::ChangeBatch>> Tables::Staged(const record::ChangeBatch& batch) {
  auto found = shapes_.find(batch.shape->id);
  FRESHET_ASSERT(found != shapes_.end());
  Followed& followed = found->second;
  if (batch.shape != followed.source) {
    if (!batch.shape->SameColumns(*followed.staged)) {
      if (followed.anew) return std::optional<record::ChangeBatch>();
      if (policy(batch.shape->id) == OnSchemaChange::kIgnore &&
          CheckIgnorable(*followed.staged, *batch.shape).ok()) {
        FRESHET_TRY(auto kept, InKept(followed.staged, batch));
        return std::optional(std::move(kept));
      }
      return Error(ErrorClass::SOURCE_PROTOCOL,
                   "the stream sent rows of a shape it did not announce")
          .With("table", batch.shape->name.ToString());
    }
    followed.source = batch.shape;
  }
  followed.anew = false;
  return std::optional(record::ChangeBatch{.shape = followed.staged, .rows = batch.rows});
}

Result<bool> Tables::IsNews(const record::TableShape& shown) const {
  const record::TableShape& staged = *shape(shown.id);
  FRESHET_CHECK_OK(CheckImprint(shown));
  if (shown.SameColumns(staged)) return false;
  switch (policy(shown.id)) {
    case OnSchemaChange::kEvolve:
      FRESHET_CHECK_OK(CheckFollowable(staged, Filled(shown), fills(staged)));
      return true;
    case OnSchemaChange::kPause:
      return Paused(staged.name, "its columns or its key are others");
    case OnSchemaChange::kIgnore:
      FRESHET_CHECK_OK(CheckIgnorable(staged, shown));
      return false;
  }
  return false;
}

Result<bool> Tables::TakeShape(const record::TableShape& after, Sequence at) {
  FRESHET_TRY(bool news, IsNews(after));
  if (news) Note(Filled(after), at);
  return news;
}

void Tables::TakeComments(const record::TableShape& shown) {
  const record::TableShape& staged = *shape(shown.id);
  if (!shown.comments || !shown.SameColumns(staged)) return;
  if (*shown.comments == staged.comments.value_or(record::TableComments())) return;
  auto commented = staged;
  commented.comments = shown.comments;
  const bool anew = shapes_.at(shown.id).anew;
  Note(std::move(commented), {}, /*words_only=*/true);
  shapes_.at(shown.id).anew = anew;
}

Status Tables::CheckImprint(const record::TableShape& shown) const {
  const auto& known = context_.writer->checkpoint().tables.at(shown.id).imprint;
  if (!known || !shown.imprint) return Status::Ok();
  std::string why = record::ReadsOtherwise(*known, *shown.imprint);
  if (why.empty()) return Status::Ok();
  return MakeError(ErrorClass::SHAPE_CHANGE_UNSUPPORTED, why)
      .With("table", shape(shown.id)->name.ToString());
}

record::TableShape Tables::Filled(record::TableShape shown) const {
  const auto& known = context_.writer->checkpoint().tables.at(shown.id).imprint;
  if (!known || !shown.imprint || !record::WrittenAnew(*known, *shown.imprint)) return shown;
  const auto& before = shape(shown.id)->ids;
  shown.filled.resize(shown.ids.size(), false);
  for (size_t i = 0; i < shown.ids.size(); ++i) {
    if (std::ranges::find(before, shown.ids[i]) == before.end()) shown.filled[i] = true;
  }
  return shown;
}

void Tables::TakeImprint(const record::TableShape& shown) {
  if (!shown.imprint || !shown.SameColumns(*shape(shown.id))) return;
  if (context_.writer->checkpoint().tables.at(shown.id).imprint == shown.imprint) return;
  context_.writer->Note(staging::ImprintNoted{.table = shown.id, .imprint = *shown.imprint});
}

std::shared_ptr<const record::TableShape> Tables::TakeKept(const record::TableShape& shown,
                                                           Sequence at) {
  auto restricted = Restricted(*shape(shown.id), shown);
  if (restricted.SameColumns(*shape(shown.id))) return shape(shown.id);
  return Note(std::move(restricted), at);
}

std::shared_ptr<const record::TableShape> Tables::Note(record::TableShape shape, Sequence at,
                                                       bool words_only) {
  Followed& followed = shapes_.at(shape.id);
  shape.name = followed.staged->name;
  shape.logged = followed.staged->logged;
  shape.last_column = std::max(shape.last_column, followed.staged->last_column);
  if (!shape.comments) shape.comments = followed.staged->comments;
  std::vector<record::ColumnId> unfilled;
  if (fills(*followed.staged)) unfilled = UnfilledColumns(*followed.staged, shape);
  shape.memo = followed.staged->memo;
  auto noted = Numbered(std::move(shape));
  context_.writer->Note(staging::ShapeNoted{
      .shape = *noted, .at = at, .words_only = words_only, .unfilled = std::move(unfilled)});
  context_.Tell("shape_changed", {{"table", noted->name.ToString()},
                                  {"version", static_cast<int64_t>(noted->version)},
                                  {"columns", static_cast<int64_t>(noted->width())},
                                  {"what", ChangesOf(*followed.staged, *noted)}});
  followed = {.staged = noted, .source = noted};
  return noted;
}

std::optional<std::string> Tables::TakePartitions(
    const TableId& table, const std::vector<record::Partition>& partitions) {
  FRESHET_ASSERT(follows(table));
  std::set<std::string> now;
  for (const auto& partition : partitions) now.insert(partition.id);
  const auto known = context_.writer->checkpoint().tables.at(table).partitions;
  if (known == now) return std::nullopt;
  context_.writer->Note(staging::PartitionsNoted{.table = table, .partitions = now});
  if (!known) return std::nullopt;
  // The stream must know which rows are the table's before it is read again.
  changed_ = true;
  if (!std::includes(now.begin(), now.end(), known->begin(), known->end()))
    return "a partition left it, and its rows with it";
  for (const auto& partition : partitions) {
    if (!partition.told && !known->contains(partition.id))
      return "a partition joined it: " + partition.name;
  }
  return std::nullopt;
}

bool Tables::TakeChanged() { return std::exchange(changed_, false); }

}  // namespace freshet::capture
