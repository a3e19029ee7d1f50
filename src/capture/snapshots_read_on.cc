// SPDX-License-Identifier: Apache-2.0
// Snapshots that an earlier gateway began, read on while somebody holds them.
#include <set>

#include "capture/shape_change.h"
#include "capture/snapshots.h"

namespace freshet::capture {

using staging::GenerationState;

Status Snapshots::ReadOn() {
  std::vector<Key> unended;
  for (const auto& [table, state] : context_.writer->checkpoint().tables) {
    if (!tables_->follows(table)) continue;
    for (const auto& [flow, generation] : state.generations) {
      if (!generation.ended && !generation.successor) unended.emplace_back(table, flow);
    }
  }
  Views views;
  for (const Key& key : unended) {
    // A copy: what is noted changes the state.
    const GenerationState state = StateOf(key);
    FRESHET_TRY(auto snapshot, ViewOf(state, &views));
    if (snapshot != nullptr) {
      FRESHET_CHECK_OK(Continue(key, state, std::move(snapshot)));
      continue;
    }
    const std::string why = "the gateway was restarted, and its view of the source is gone";
    if (!LeaveRest(key, why)) Abandon(key, why, false);
  }
  // Also of what a gateway that crashed took and never named.
  for (const auto& [key, running] : running_) held_.insert(running.begun.view);
  holder_->KeepOnly(held_);
  return Status::Ok();
}

Result<std::shared_ptr<sources::Snapshot>> Snapshots::ViewOf(const GenerationState& state,
                                                             Views* views) const {
  const auto& begun = state.begun;
  const auto& table = context_.writer->checkpoint().tables.at(begun.table);
  const bool readable = !begun.view.empty() && std::ssize(begun.plan) == begun.chunks &&
                        begun.shape_version >= table.rows_since;
  if (!readable) return std::shared_ptr<sources::Snapshot>();
  if (auto known = views->find(begun.view); known != views->end()) return known->second;
  auto resumed = context_.source->ResumeSnapshot(begun.view);
  if (!resumed.ok() && !IsStale(resumed.status())) return resumed.status();
  auto& view = (*views)[begun.view];
  if (resumed.ok()) view = std::move(*resumed);
  return view;
}

Status Snapshots::Continue(const Key& key, const GenerationState& state,
                           std::shared_ptr<sources::Snapshot> snapshot) {
  auto shape = tables_->shape(key.first);
  if (state.begun.columns)
    shape = std::make_shared<const record::TableShape>(Narrowed(*shape, *state.begun.columns));
  Running running{.begun = state.begun,
                  .snapshot = std::move(snapshot),
                  .shape = std::move(shape),
                  .waiting = {},
                  .chunks_left = state.begun.chunks - std::ssize(state.chunks_done),
                  .rows = state.rows,
                  .values_nulled = state.values_nulled,
                  .stop = {},
                  .begun_at = context_.clock->Now(),
                  .told_at = context_.clock->Now()};
  FRESHET_CHECK_OK(SetFence(&running));
  running.rows_read->store(state.rows);
  running.pace = SnapshotPace(running.begun_at, state.rows);
  for (int64_t number = 0; number < state.begun.chunks; ++number) {
    if (state.chunks_done.contains(number)) continue;
    running.waiting.push_back(
        {.number = number, .text = state.begun.plan[static_cast<size_t>(number)]});
  }
  context_.Tell("snapshot_resumed", {{"table", running.shape->name.ToString()},
                                     {"flow", key.second.value()},
                                     {"generation", running.begun.generation.value()},
                                     {"chunks", running.begun.chunks},
                                     {"chunks_left", running.chunks_left},
                                     {"rows", running.rows},
                                     {"rows_estimated", running.begun.rows_estimated}});
  running_.emplace(key, std::move(running));
  EndRead();
  return Status::Ok();
}

Status Snapshots::OnSealed() {
  FRESHET_CHECK_OK(RemoveObsolete());
  // The holder may have one for us that we have not heard of yet.
  if (taker_.busy()) return Status::Ok();
  std::set<std::string> read;
  if (beginning_ != nullptr) read.insert(beginning_->Handle());
  for (const auto& [key, running] : running_) read.insert(running.begun.view);
  if (read == held_) return Status::Ok();
  held_ = std::move(read);
  holder_->KeepOnly(held_);
  return Status::Ok();
}

}  // namespace freshet::capture
