// SPDX-License-Identifier: Apache-2.0
#include "capture/tables.h"

#include <algorithm>
#include <set>
#include <utility>

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
    auto shape = std::make_shared<const record::TableShape>(*state.shape);
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

std::shared_ptr<const record::TableShape> Tables::Numbered(record::TableShape shape) const {
  const auto& tables = context_.writer->checkpoint().tables;
  auto known = tables.find(shape.id);
  shape.version =
      known != tables.end() && known->second.shape ? known->second.shape->version + 1 : 1;
  return std::make_shared<const record::TableShape>(std::move(shape));
}

void Tables::Follow(Fresh fresh) {
  const auto& shape = fresh.shape;
  context_.writer->Note(staging::TableListed{.table = shape->id, .name = shape->name});
  context_.writer->Note(staging::ShapeNoted{.shape = *shape, .at = {}});
  context_.Tell("table_found", {{"table", shape->name.ToString()},
                                {"id", shape->id.value()},
                                {"columns", static_cast<int64_t>(shape->width())},
                                {"logged", shape->logged}});
  shapes_[shape->id] = {.staged = shape, .source = shape};
  if (fresh.partitions) TakePartitions(shape->id, *fresh.partitions);
}

void Tables::Join(Fresh joined) {
  const auto& shape = joined.shape;
  context_.writer->Note(staging::ShapeNoted{.shape = *shape, .at = {}});
  shapes_[shape->id] = {.staged = shape, .source = shape};
  if (joined.partitions) TakePartitions(shape->id, *joined.partitions);
}

void Tables::NoteBroken(const TableId& table, const record::TableName& name, const Status& why) {
  context_.writer->Note(staging::TableListed{.table = table, .name = name});
  NoteEnd(table, name, why);
}

void Tables::Break(const TableId& table, const Status& why) {
  auto found = shapes_.find(table);
  if (found == shapes_.end()) return;
  record::TableName name = found->second.staged->name;
  shapes_.erase(found);
  changed_ = true;
  NoteEnd(table, name, why);
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
  auto found = shapes_.find(table);
  if (found == shapes_.end()) return;
  context_.Tell("table_dropped", {{"table", found->second.staged->name.ToString()}});
  shapes_.erase(found);
  changed_ = true;
  context_.writer->Note(staging::TableEnded{.kind = record::TableEnd::Kind::kDropped,
                                            .table = table,
                                            .at = at,
                                            .committed_at = committed_at});
}

Result<record::ChangeBatch> Tables::Staged(const record::ChangeBatch& batch) {
  auto found = shapes_.find(batch.shape->id);
  FRESHET_ASSERT(found != shapes_.end());
  Followed& followed = found->second;
  if (batch.shape != followed.source) {
    if (!batch.shape->SameColumns(*followed.staged)) {
      return Error(ErrorClass::SOURCE_PROTOCOL,
                   "the stream sent rows of a shape it did not announce")
          .With("table", batch.shape->name.ToString());
    }
    followed.source = batch.shape;
  }
  return record::ChangeBatch{.shape = followed.staged, .rows = batch.rows};
}

Result<bool> Tables::TakeShape(const record::TableShape& after, Sequence at) {
  auto found = shapes_.find(after.id);
  FRESHET_ASSERT(found != shapes_.end());
  if (after.SameColumns(*found->second.staged)) return false;
  FRESHET_CHECK_OK(CheckFollowable(*found->second.staged, after));
  record::TableShape named = after;
  named.name = found->second.staged->name;
  named.logged = found->second.staged->logged;
  auto shape = Numbered(std::move(named));
  context_.writer->Note(staging::ShapeNoted{.shape = *shape, .at = at});
  context_.Tell("shape_changed", {{"table", shape->name.ToString()},
                                  {"version", static_cast<int64_t>(shape->version)},
                                  {"columns", static_cast<int64_t>(shape->width())}});
  found->second = {.staged = shape, .source = shape};
  return true;
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
