// SPDX-License-Identifier: Apache-2.0
#include "capture/watching.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/limits.h"

namespace freshet::capture {

Result<std::set<TableId>> Watching::Add(const std::vector<Tables::Fresh>& coming) {
  if (coming.empty()) return std::set<TableId>();
  auto locked = stream_->Watch(tables_->watched(coming));
  const bool blocked = IsBlocked(locked.status());
  if (!locked.ok() && !blocked) return locked;
  if (!blocked) Wait(*locked);
  std::set<TableId> waiting;
  for (const auto& each : coming) {
    if (blocked || locked->contains(each.shape->id)) waiting.insert(each.shape->id);
  }
  return waiting;
}

Status Watching::Update(MonotonicTime now) {
  due_ = tables_->TakeChanged() || due_;
  if (!due_ || now < due_at_) return Status::Ok();
  auto locked = stream_->Watch(tables_->watched());
  due_ = IsBlocked(locked.status());
  if (due_) due_at_ = now + limits::kDiscoverInterval;
  if (!locked.ok()) return due_ ? Status::Ok() : locked.status();
  Wait(*locked);
  TakeMemos();
  return Status::Ok();
}

void Watching::Wait(const std::set<TableId>& locked) {
  if (locked.empty()) return;
  due_ = true;
  due_at_ = context_.clock->Now() + limits::kDiscoverInterval;
  IsBlocked(Error(ErrorClass::SOURCE_BLOCKED, "somebody holds tables locked: {}", locked.size()));
}

staging::Unseen Watching::Unseen(std::vector<record::TableName> mended) const {
  std::vector<record::TableName> tables = waiting_;
  std::ranges::move(mended, std::back_inserter(tables));
  if (tables.empty()) return {};
  std::vector<std::string> names;
  for (const auto& name : tables) names.push_back(name.ToString());
  Status why =
      Error(ErrorClass::SOURCE_BLOCKED, "somebody holds new or altered tables locked: {}",
            fmt::join(names, ", "))
          .WithRemedy("Wait for the VACUUM, ANALYZE or CREATE INDEX of theirs; see pg_locks.");
  return {.why = std::move(why), .tables = std::move(tables)};
}

void Watching::TakeMemos() {
  for (const auto& [table, memo] : stream_->TakeMemos()) {
    if (tables_->follows(table)) tables_->TakeMemo(table, memo);
  }
}

bool Watching::IsBlocked(const Status& status) {
  if (!status.Is(ErrorClass::SOURCE_BLOCKED)) return false;
  if (!std::exchange(blocked_told_, true)) {
    context_.Tell("warning",
                  {{"reason", "new and changed tables have to wait, for one is locked: " +
                                  status.ToString()}});
  }
  return true;
}

}  // namespace freshet::capture
