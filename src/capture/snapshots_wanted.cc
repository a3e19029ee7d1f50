// SPDX-License-Identifier: Apache-2.0
// Which generations are to be read, and which wishes that answers.
#include <algorithm>

#include "capture/snapshots.h"

namespace freshet::capture {

using staging::Generation;

std::map<Snapshots::Key, Generation> Snapshots::Wanted(
    const std::vector<staging::Wish>& wishes) const {
  std::map<Key, Generation> wanted;
  for (const auto& wish : wishes) {
    Generation& generation = wanted[{wish.table, wish.flow}];
    generation = std::max(generation, wish.generation);
  }
  for (const auto& [table, state] : context_.writer->checkpoint().tables) {
    for (const auto& [flow, generation] : state.generations) {
      Key key{table, flow};
      auto asked = wanted.find(key);
      if (asked != wanted.end() && asked->second <= generation.whole().generation) {
        wanted.erase(asked);
      } else if (asked != wanted.end()) {
        // One of some columns may have taken the number that was wished.
        const Generation next(generation.begun.generation.value() + 1);
        asked->second = std::max(asked->second, next);
      }
      if (generation.successor) wanted[key] = std::max(wanted[key], *generation.successor);
    }
  }
  const auto asked = wanted;
  rereads_.AddDue(&wanted);
  AddFills(&wanted);
  AddRests(&wanted);
  std::erase_if(wanted, [&](const auto& each) {
    const bool forgotten = serves_ && !serves_(each.first.second);
    return forgotten || !tables_->follows(each.first.first) || running_.contains(each.first) ||
           rereads_.Rests(each.first, asked.contains(each.first)) || MayWait(each.first);
  });
  return wanted;
}

/// Whether the flow's newest generation is complete and was begun since the wishes settled, and
/// nobody asks for another.
bool Snapshots::MayWait(const Key& key) const {
  if (!begun_settled_.contains(key) || wished_.contains(key)) return false;
  const auto& state = StateOf(key);
  // Changes wait for columns, and shapes change less often than partitions.
  return state.ended && !IsFill(key, state);
}

/// A wish whose generation is sealed has done its work; what is left to look at stays small. One of
/// some columns alone answers none.
Status Snapshots::ForgetAnswered(const std::vector<staging::Wish>& wishes) {
  const auto& checkpoint = context_.writer->checkpoint();
  for (const auto& wish : wishes) {
    auto table = checkpoint.tables.find(wish.table);
    if (table == checkpoint.tables.end()) continue;
    auto generation = table->second.generations.find(wish.flow);
    bool answered = generation != table->second.generations.end() &&
                    generation->second.whole().generation >= wish.generation &&
                    table->second.last_segment <= checkpoint.through;
    if (answered) FRESHET_CHECK_OK(staging::RemoveWish(*context_.staging, wish));
  }
  return Status::Ok();
}

void Snapshots::NoteWished(const std::vector<staging::Wish>& wishes) {
  wished_.clear();
  const auto& tables = context_.writer->checkpoint().tables;
  for (const auto& wish : wishes) {
    auto table = tables.find(wish.table);
    if (table == tables.end()) continue;
    auto generation = table->second.generations.find(wish.flow);
    if (generation != table->second.generations.end() &&
        generation->second.whole().generation < wish.generation)
      wished_.insert({wish.table, wish.flow});
  }
}

}  // namespace freshet::capture
