// SPDX-License-Identifier: Apache-2.0
// Tables that the log does not tell of: what becomes of readings that failed, and of those that a
// later one has taken the place of.
#include <algorithm>
#include <limits>

#include "capture/snapshots.h"
#include "staging/layout.h"
#include "staging/unread.h"

namespace freshet::capture {

bool Snapshots::LeaveUnread(const TableId& table, const Status& why) {
  if (why.ok() || !tables_->follows(table) || tables_->shape(table)->logged) return false;
  std::set<Key> keys;
  for (const auto& [key, generation] : wanted_) keys.insert(key);
  for (const auto& [key, running] : running_) keys.insert(key);
  std::erase_if(keys, [&](const Key& key) {
    return key.first != table || !rereads_.IsOfTable(key, why, settled_);
  });
  for (const Key& key : keys) LeaveUnread(key, why);
  return !keys.empty();
}

bool Snapshots::LeaveAllUnread(const Status& why) {
  const auto asked = taking_;
  const bool may = !asked.empty() && std::all_of(asked.begin(), asked.end(), [&](const auto& each) {
    const Key& key = each.first;
    return tables_->follows(key.first) && !tables_->shape(key.first)->logged &&
           rereads_.IsOfTable(key, why, settled_);
  });
  if (!may) return false;
  for (const auto& [key, generation] : asked) LeaveUnread(key, why);
  return true;
}

void Snapshots::LeaveUnread(const Key& key, const Status& why) {
  if (auto running = running_.find(key); running != running_.end()) {
    const staging::Generation generation = running->second.begun.generation;
    running->second.stop.request_stop();
    running_.erase(running);
    context_.writer->Note(
        staging::GenerationAbandoned{.flow = key.second,
                                     .table = key.first,
                                     .generation = generation,
                                     .successor = staging::Generation(generation.value() + 1),
                                     .why = std::string(why.message())});
  }
  wanted_.erase(key);
  taking_.erase(key);
  rereads_.OnFailed(key);
  std::string remedy(why.remedy());
  if (remedy.empty()) remedy = "Mend it at the source; it is read again next time.";
  unread_[key] = MakeError(why.error_class(), std::string(why.message())).WithRemedy(remedy);
  context_.Tell("table_unread", {{"table", tables_->shape(key.first)->name.ToString()},
                                 {"flow", key.second.value()},
                                 {"class", std::string(NameOf(why.error_class()))},
                                 {"reason", std::string(why.message())},
                                 {"remedy", remedy}});
}

Status Snapshots::TellUnread(const std::vector<staging::Wish>& wishes) {
  const auto told = std::exchange(unread_, {});
  if (!tells_unread_) return Status::Ok();
  auto& staging = *context_.staging;
  for (const auto& [key, why] : told) {
    const staging::UnreadKey file{key.first, key.second};
    FRESHET_CHECK_OK(why.ok() ? staging::ForgetUnread(staging, file)
                              : staging::PutUnread(staging, file, why));
  }
  if (rereads_.failed().empty()) return Status::Ok();
  FRESHET_TRY(auto stand, staging::ListUnread(staging));
  for (const auto& wish : wishes) {
    const Key key{wish.table, wish.flow};
    if (rereads_.failed().contains(key) && !stand.contains({wish.table, wish.flow}))
      rereads_.AskAgain(key);
  }
  return Status::Ok();
}

Status Snapshots::RemoveObsolete() {
  for (const auto& [key, generations] : std::exchange(obsolete_, {})) {
    for (const staging::Generation& generation : generations) {
      FRESHET_TRY(auto parts,
                  context_.staging->List(staging::GenerationPath(key.second, key.first, generation),
                                         "", std::numeric_limits<int>::max()));
      for (const auto& part : parts) {
        Status removed = context_.staging->Remove(part.path);
        if (!removed.ok() && !removed.Is(ErrorClass::NOT_FOUND)) return removed;
      }
    }
  }
  return Status::Ok();
}

}  // namespace freshet::capture
