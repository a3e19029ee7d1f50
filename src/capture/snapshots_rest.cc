// SPDX-License-Identifier: Apache-2.0
// Snapshots that were lost before all of their chunks were read: the rest is read from a later one.
#include "capture/snapshots.h"

namespace freshet::capture {

using staging::GenerationState;

namespace {

std::string EpochOf(const Sequence& sequence) { return std::string(sequence.view().substr(0, 4)); }

}  // namespace

/// The changes have to tell of every row that is not the same in both, and by its key.
bool Snapshots::MayRest(const Key& key) const {
  if (!tables_->follows(key.first)) return false;
  const auto& table = context_.writer->checkpoint().tables.at(key.first);
  const auto& state = table.generations.at(key.second);
  const auto& begun = state.begun;
  const auto shape = tables_->shape(key.first);
  const bool is_open = !state.ended && !state.successor && !begun.columns && !begun.difference;
  return is_open && shape->logged && !shape->keyless() && !state.chunks_done.empty() &&
         !begun.view.empty() && std::ssize(begun.plan) == begun.chunks &&
         begun.shape_version >= table.rows_since;
}

void Snapshots::StopReading(const Key& key) {
  auto running = running_.find(key);
  if (running == running_.end()) return;
  running->second.stop.request_stop();
  running_.erase(running);
}

// A copy of the key: what is erased may hold it.
bool Snapshots::LeaveRest(Key key, const std::string& why) {
  if (!MayRest(key)) return false;
  StopReading(key);
  const GenerationState& state = StateOf(key);
  context_.Tell("snapshot_interrupted",
                {{"table", tables_->shape(key.first)->name.ToString()},
                 {"flow", key.second.value()},
                 {"generation", state.begun.generation.value()},
                 {"chunks_left", state.begun.chunks - std::ssize(state.chunks_done)},
                 {"why", why}});
  rests_.insert(key);
  wanted_[key] = state.begun.generation;
  return true;
}

void Snapshots::AddRests(std::map<Key, staging::Generation>* wanted) const {
  for (const Key& key : rests_) {
    wanted->try_emplace(key, StateOf(key).begun.generation);
  }
}

void Snapshots::GiveUpRests() {
  std::vector<Key> given_up;
  for (const auto& [key, running] : running_) {
    if (running.begun.rest_from && wished_.contains(key)) given_up.push_back(key);
  }
  for (const Key& key : given_up) {
    StopReading(key);
    Abandon(key, "all of it is asked for anew", false);
  }
}

void Snapshots::RestartRests(const TableId& table, Sequence at, const std::string& why,
                             bool untold) {
  std::vector<Key> ended;
  for (const Key& key : rests_) {
    const auto& begun = StateOf(key).begun;
    if (key.first == table && begun.position < at) ended.push_back(key);
  }
  for (const Key& key : ended) Abandon(key, why, untold);
}

Status Snapshots::BeginWhole(const Key& key, staging::Generation generation,
                             const std::shared_ptr<const record::TableShape>& shape) {
  if (rests_.contains(key)) {
    FRESHET_TRY(const bool goes_on, BeginRest(key, generation, shape));
    if (goes_on) return Status::Ok();
    generation = std::max(generation, wanted_.at(key));
  }
  return Begin(key, generation, beginning_, shape, first_segment_);
}

Result<bool> Snapshots::BeginRest(const Key& key, staging::Generation generation,
                                  const std::shared_ptr<const record::TableShape>& shape) {
  const GenerationState state = StateOf(key);
  std::optional<std::vector<sources::Chunk>> rest;
  // What was read of another history of the server may never have happened.
  const bool same_history = EpochOf(beginning_->Position()) == EpochOf(state.begun.position);
  if (MayRest(key) && generation == state.begun.generation && same_history) {
    FRESHET_TRY(rest, beginning_->PlanRest(*shape, state.begun.plan, state.chunks_done));
  }
  if (!rest) {
    Abandon(key, "its rows may have moved since its view of the source was lost", false);
    return false;
  }
  rests_.erase(key);
  auto plan = state.begun.plan;
  for (const auto& chunk : *rest) {
    const auto number = static_cast<size_t>(chunk.number);
    if (number >= plan.size()) plan.resize(number + 1);
    plan[number] = chunk.text;
  }
  context_.writer->Note(staging::RestBegun{.flow = key.second,
                                           .table = key.first,
                                           .generation = generation,
                                           .position = beginning_->Position(),
                                           .taken_at = beginning_->TakenAt(),
                                           .view = beginning_->Handle(),
                                           .plan = std::move(plan)});
  const GenerationState noted = StateOf(key);
  FRESHET_CHECK_OK(Continue(key, noted, beginning_));
  return true;
}

}  // namespace freshet::capture
