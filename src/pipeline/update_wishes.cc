// SPDX-License-Identifier: Apache-2.0
// What an update asks the gateway to read, and whether it has been.
#include <algorithm>

#include "pipeline/event_line.h"
#include "pipeline/update.h"
#include "pipeline/update_flow.h"
#include "staging/unread.h"

namespace freshet::pipeline {

Status Update::WishAll() {
  for (const auto& [table, flow] : flows_) {
    if (flow->failed || flow->excluded) continue;
    FRESHET_CHECK_OK(Wish(*flow, checkpoint_.tables.at(table)));
  }
  parts_.observer->OnEvent({"wished", {{"through", checkpoint_.through.value()}}});
  return Status::Ok();
}

Status Update::Wish(FlowState& flow, const staging::TableState& state) {
  if (state.dropped || state.broken) return Status::Ok();
  const bool unlogged = state.shape && !state.shape->logged;
  const bool first = !std::exchange(flow.reread, true);
  // What was told to an update before is none of this one's, and is tried again for it.
  if (first && options_.reread && unlogged)
    FRESHET_CHECK_OK(staging::ForgetUnread(*staging_store_, {flow.flow.table, flow.flow.id}));
  staging::Wish wish{flow.flow.id, flow.flow.table, record::Generation(1)};
  if (auto known = state.generations.find(flow.flow.id); known != state.generations.end()) {
    const auto& newest = known->second;
    // One that is under way because its time had come may have begun before this update.
    const bool done = newest.ended || newest.successor || newest.begun.difference;
    if (!first || !options_.reread || !unlogged || !done) return Status::Ok();
    wish.generation =
        newest.successor.value_or(record::Generation(newest.begun.generation.value() + 1));
  }
  if (wished_.contains(wish)) return Status::Ok();
  FRESHET_CHECK_OK(staging::PutWish(*staging_store_, wish));
  wished_.insert(wish);
  return Status::Ok();
}

Status Update::TakeUnread() {
  FRESHET_TRY(auto told, staging::ListUnread(*staging_store_));
  for (const auto& key : told) {
    auto* flow = FlowOf(key.table);
    const bool waits = flow != nullptr && flow->flow.id == key.flow && flow->reread;
    if (!waits || IsStaged(*flow)) continue;
    FRESHET_TRY(auto why, staging::WhyUnread(*staging_store_, key));
    if (!why) continue;  // it was read just now
    flow->unread = true;
    // One that stays is told of each try, by whoever runs the gateway.
    if (!options_.reread) continue;
    parts_.observer->OnEvent(
        WithStatus({"table_unread",
                    {{"table", flow->flow.source.ToString()}, {"flow", flow->flow.id.value()}}},
                   *why));
  }
  return Status::Ok();
}

bool Update::HasWished(const record::FlowId& flow, record::Generation above) const {
  // A flow's lie together, and all flows are looked at in every round.
  for (auto wish = wished_.lower_bound({flow, {}, {}}); wish != wished_.end() && wish->flow == flow;
       ++wish) {
    if (wish->generation > above) return true;
  }
  return false;
}

bool Update::AllStaged() const {
  return std::ranges::all_of(flows_, [&](const auto& each) { return IsStaged(*each.second); });
}

/// Whether the newest snapshot that the flow asked for is staged, or never will be.
bool Update::IsStaged(const FlowState& flow) const {
  const auto& state = checkpoint_.tables.at(flow.flow.table);
  if (flow.failed || flow.excluded || flow.unread || state.dropped || state.broken) return true;
  auto newest = state.generations.find(flow.flow.id);
  if (newest == state.generations.end()) return false;
  const auto& generation = newest->second;
  if (HasWished(flow.flow.id, generation.whole().generation)) return false;
  if (!generation.ended || generation.successor) return false;
  // Each reading of a table without a log has all of its columns.
  const bool logged = !state.shape || state.shape->logged;
  return !logged || !state.WantsColumns(generation);
}

/// Whether the table's policy lets it be read again by now.
bool Update::MayRefresh(const staging::TableState& state,
                        const staging::GenerationState& newest) const {
  auto interval = RefreshInterval(RuleOf(options_.spec.table_rules, state.name));
  if (!interval) return false;
  auto until = newest.whole().taken_at + std::chrono::microseconds(*interval).count();
  return until <= parts_.clock->WallNow();
}

Result<bool> Update::WaitsForRefresh(const FlowState& flow, const Status& why) {
  // What was never whole is read again whatever the policy: there is nothing to be preserved.
  const bool unread = why.Is(ErrorClass::SNAPSHOT_STALE);
  if (!unread && !why.Is(ErrorClass::STAGING_EXPIRED) && !why.Is(ErrorClass::VALUE_NOT_SENT))
    return false;
  const auto& state = checkpoint_.tables.at(flow.flow.table);
  auto newest = state.generations.find(flow.flow.id);
  if (newest == state.generations.end() || state.dropped || state.broken) return false;
  const auto& begun = newest->second.begun;
  staging::Wish next{flow.flow.id, flow.flow.table,
                     record::Generation(begun.generation.value() + 1)};
  if (HasWished(next.flow, newest->second.whole().generation)) return true;
  if (!unread && !MayRefresh(state, newest->second)) return false;
  FRESHET_CHECK_OK(staging::PutWish(*staging_store_, next));
  wished_.insert(next);
  parts_.observer->OnEvent({"refresh_asked",
                            {{"table", state.name.ToString()},
                             {"flow", next.flow.value()},
                             {"generation", next.generation.value()},
                             {"why", why.ToString()}}});
  return true;
}

void Update::FailStale() {
  for (auto& [table, flow] : flows_) {
    if (auto why = std::exchange(flow->stale, {})) Fail(*flow, *why);
  }
}

}  // namespace freshet::pipeline
