// SPDX-License-Identifier: Apache-2.0
// Columns that no change fills: generations of the key and these alone.
#include "capture/snapshots.h"

namespace freshet::capture {

bool Snapshots::IsFill(const Key& key, const staging::GenerationState& state) const {
  const auto& table = context_.writer->checkpoint().tables.at(key.first);
  return state.fillable() && !wished_.contains(key) && !table.Lacking(state).empty() &&
         !tables_->shape(key.first)->keyless();
}

void Snapshots::AddFills(std::map<Key, staging::Generation>* wanted) const {
  for (const auto& [table, state] : context_.writer->checkpoint().tables)
    AddFills(table, state, wanted);
}

void Snapshots::AddFills(const TableId& table, const staging::TableState& state,
                         std::map<Key, staging::Generation>* wanted) const {
  if (!tables_->follows(table)) return;
  for (const auto& [flow, generation] : state.generations) {
    if (generation.successor || !state.WantsColumns(generation)) continue;
    wanted->try_emplace({table, flow},
                        staging::Generation(generation.begun.generation.value() + 1));
  }
}

void Snapshots::Fill(const TableId& table) {
  const auto& tables = context_.writer->checkpoint().tables;
  auto known = tables.find(table);
  if (known == tables.end()) return;
  std::map<Key, staging::Generation> fills;
  AddFills(table, known->second, &fills);
  for (const auto& [key, generation] : fills) {
    if (!running_.contains(key)) wanted_.emplace(key, generation);
  }
}

Status Snapshots::SetFence(Running* running) {
  if (!running->begun.columns && !running->begun.rest_from) return Status::Ok();
  FRESHET_TRY(running->fence, fence_->Ask());
  return Status::Ok();
}

void Snapshots::EndRead() {
  for (auto each = running_.begin(); each != running_.end();) {
    auto& [key, running] = *each;
    if (running.chunks_left > 0 || (running.fence && !fence_->Passed(*running.fence))) {
      ++each;
      continue;
    }
    End(key, running);
    each = running_.erase(each);
  }
}

}  // namespace freshet::capture
