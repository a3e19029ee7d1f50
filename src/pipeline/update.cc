// SPDX-License-Identifier: Apache-2.0
#include "pipeline/update.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include "apply/table_form.h"
#include "base/limits.h"
#include "pipeline/destination.h"
#include "pipeline/event_line.h"
#include "pipeline/update_flow.h"

namespace freshet::pipeline {

using apply::Applied;
using record::SegmentNumber;
using record::TableId;

namespace {

/// A table that another writer commits to all the time is given up for this run after as many
/// rounds.
constexpr int kConflictsMax = 8;
constexpr std::string_view kShadowsFolder = "_freshet/shadows";

/// A failure that is no single table's: the worker ends with it and is started again, or the run
/// ends.
bool ConcernsAll(const Status& status) {
  if (status.Is(ErrorClass::DELTA_CONFLICT)) return false;
  return status.retry() == Retry::kBackoff || status.Is(ErrorClass::CANCELLED) ||
         status.Is(ErrorClass::COMMIT_ZOMBIE) || status.Is(ErrorClass::STORE_READ_ONLY);
}

Status StatusOf(const staging::TableBroken& broken) {
  auto error_class = ErrorClassOf(broken.error_class).value_or(ErrorClass::INTERNAL);
  return MakeError(error_class, broken.message).WithRemedy(broken.remedy);
}

}  // namespace

struct Update::Outcome {
  FlowState* flow = nullptr;
  std::optional<Result<Applied>> result;
};

Update::Update(Parts parts, Options options, FlowBook book)
    : parts_(std::move(parts)), options_(std::move(options)), book_(std::move(book)) {
  staging_store_ = store::Below(parts_.root, parts_.staging_prefix);
}

Update::~Update() = default;

Result<std::unique_ptr<Update>> Update::Open(Parts parts, Options options) {
  FRESHET_TRY(auto book, FlowBook::Open(parts.root));
  std::unique_ptr<Update> update(new Update(std::move(parts), std::move(options), std::move(book)));
  FRESHET_CHECK_OK(update->Register());
  FRESHET_TRY(auto latest, update->parts_.staging->Latest());
  update->checkpoint_ = *latest;
  return update;
}

Status Update::Register() {
  reader_.pipeline = options_.pipeline;
  FRESHET_TRY(auto readers, staging::ListReaders(*staging_store_));
  for (const auto& reader : readers) {
    if (reader.pipeline == options_.pipeline) reader_ = reader;
  }
  created_.insert(reader_.flows_created.begin(), reader_.flows_created.end());
  FRESHET_TRY(auto wishes, staging::ListWishes(*staging_store_));
  wished_.insert(wishes.begin(), wishes.end());
  return staging::PutReader(*staging_store_, reader_);
}

Result<Update::Round> Update::Step(const std::stop_token& stop) {
  FRESHET_TRY(bool news, TakeSegments());
  bool look = news || !opened_;
  if (look) FRESHET_CHECK_OK(AddFlows());
  opened_ = true;
  auto flows = FlowsWithWork();
  Status failed;
  Round round{.through = checkpoint_.through, .worked = news};
  for (auto& outcome : ApplyAll(flows, stop)) {
    if (!outcome.result) continue;
    auto taken = TakeOutcome(*outcome.flow, *outcome.result);
    if (failed.ok()) failed = std::move(taken);
    round.worked = round.worked || outcome.flow->more;
    round.reread = round.reread || (outcome.result->ok() && (*outcome.result)->reread);
  }
  FRESHET_CHECK_OK(failed);
  // After the tables were looked at: one that cannot be written is not read at the source either.
  if (look) FRESHET_CHECK_OK(WishAll());
  if (stop.stop_requested()) return Error(ErrorClass::CANCELLED, "the update was stopped");
  round.settled = FlowsWithWork().empty();
  // Only whose gateway captures for others has to be told: its own has run before it ends.
  const bool apart = options_.pipeline != record::PipelineId(kOnlyPipeline);
  if (apart && !AllStaged()) FRESHET_CHECK_OK(TakeUnread());
  round.staged = AllStaged();
  return round;
}

Result<bool> Update::TakeSegments() {
  bool news = false;
  while (true) {
    auto listed = parts_.staging->List(checkpoint_.through, limits::kApplySegmentsMax);
    if (listed.status().Is(ErrorClass::STAGING_EXPIRED)) {
      FRESHET_CHECK_OK(SkipExpired());
      news = true;
      continue;
    }
    FRESHET_TRY(auto manifests, std::move(listed));
    if (manifests.empty()) return news;
    for (const auto& manifest : manifests) {
      staging::Advance(*manifest, &checkpoint_);
      for (const auto& table : staging::TablesOf(*manifest)) {
        auto* flow = FlowOf(table);
        if (flow == nullptr) continue;
        flow->last_segment = manifest->number;
        Revive(*flow, checkpoint_.tables.at(table));
      }
      parts_.observer->OnEvent({"segment_seen",
                                {{"segment", manifest->number.value()},
                                 {"sealed_at", manifest->sealed_at},
                                 {"committed_at", manifest->committed_at}}});
    }
    news = true;
  }
}

/// What this process had not looked at yet is gone at a hard limit: which tables lost something by
/// that, each finds out for itself.
Status Update::SkipExpired() {
  FRESHET_TRY(auto latest, parts_.staging->Latest());
  if (latest->through <= checkpoint_.through)
    return Error(ErrorClass::STAGING_EXPIRED, "a segment is no longer in staging: {}",
                 checkpoint_.through.value() + 1);
  checkpoint_ = *latest;
  for (const auto& [table, flow] : flows_) {
    auto found = checkpoint_.tables.find(table);
    if (found != checkpoint_.tables.end()) flow->last_segment = found->second.last_segment;
  }
  return Status::Ok();
}

/// A table that was given up is followed again.
void Update::Revive(FlowState& flow, const staging::TableState& state) {
  if (!flow.failed || !flow.broken || state.broken) return;
  flow.failed.reset();
  flow.broken = false;
  flow.more = true;
}

Status Update::AddFlows() {
  std::set<TableId> succeeded;
  for (const auto& [table, state] : checkpoint_.tables) {
    if (state.former && state.shape && options_.spec.Selects(state.name))
      succeeded.insert(*state.former);
  }
  for (const auto& [table, state] : checkpoint_.tables) {
    if (succeeded.contains(table)) {
      flows_.erase(table);
      continue;
    }
    // In this order: a table is looked at with every segment, and a specification may be long.
    if (FlowOf(table) != nullptr || !options_.spec.Selects(state.name)) continue;
    FRESHET_CHECK_OK(AddFlow(table, state));
  }
  return Status::Ok();
}

Status Update::AddFlow(const TableId& table, const staging::TableState& state) {
  auto owned = std::make_unique<FlowState>();
  auto& flow = *owned;
  flow.flow = {FlowIdOf(options_.pipeline, table), table, state.name};
  flow.last_segment = state.last_segment;
  if (!options_.spec.Updates(state.name)) {
    Exclude(flow);
    flows_.emplace(table, std::move(owned));
    return Status::Ok();
  }
  std::vector<record::FlowId> formers;
  for (auto former = state.former; former && formers.size() < checkpoint_.tables.size();) {
    flow.formers.push_back({FlowIdOf(options_.pipeline, *former), *former, state.name});
    formers.push_back(FlowIdOf(options_.pipeline, *former));
    auto found = checkpoint_.tables.find(*former);
    former = found == checkpoint_.tables.end() ? std::nullopt : found->second.former;
  }
  flows_.emplace(table, std::move(owned));
  auto claimed = book_.Claim(flow.flow.id, state.name,
                             FolderOf(options_.spec.DestinationOf(state.name)), formers);
  if (!claimed.ok()) {
    if (ConcernsAll(claimed.status())) return claimed.status();
    Fail(flow, claimed.status());
    return Status::Ok();
  }
  flow.folder = claimed->folder;
  parts_.observer->OnEvent({"table_found",
                            {{"table", state.name.ToString()},
                             {"flow", flow.flow.id.value()},
                             {"folder", flow.folder}}});
  if (state.generations.contains(flow.flow.id)) return Status::Ok();
  if (state.broken) {
    Fail(flow, StatusOf(*state.broken));
  } else if (state.shape) {
    // Before all of it is read for nothing.
    auto history =
        apply::MarkHistory(options_.spec.HistoryOf(state.name), apply::ColumnsOf(*state.shape),
                           state.shape->keyless(), state.shape->logged);
    if (!history.ok()) Fail(flow, history.status());
  }
  return Status::Ok();
}

/// What is staged for it stays there for the update that takes it.
void Update::Exclude(FlowState& flow) const {
  flow.excluded = true;
  flow.done_through = reader_.floor;
  if (!book_.entries().contains(flow.flow.id)) return;
  parts_.observer->OnEvent({"table_excluded", {{"table", flow.flow.source.ToString()}}});
}

Result<std::unique_ptr<apply::TableApplier>> Update::OpenFlow(const FlowState& flow) {
  apply::TableApplier::Context context;
  context.staging = parts_.staging;
  context.table = store::Below(parts_.root, flow.folder);
  context.root = parts_.root;
  context.staging_prefix = parts_.staging_prefix;
  context.table_prefix = flow.folder;
  context.shadow_prefix = fmt::format("{}/{}", kShadowsFolder, flow.flow.id.value());
  context.shadow = store::Below(parts_.root, context.shadow_prefix);
  for (const auto& former : flow.formers) {
    context.formers.push_back(
        {former,
         store::Below(parts_.root, fmt::format("{}/{}", kShadowsFolder, former.id.value()))});
  }
  context.index = parts_.index;
  context.scratch_folder = parts_.scratch_folder;
  context.clock = parts_.clock;
  context.observer = parts_.observer;
  context.pipeline_mark = options_.pipeline.value();
  context.created_before = created_.contains(flow.flow.id);
  context.passed = reader_.floor;
  context.history = options_.spec.HistoryOf(flow.flow.source);
  context.properties = options_.spec.PropertiesOf(flow.flow.source);
  context.drop_inactive_columns =
      RuleOf(options_.spec.table_rules, flow.flow.source).drop_inactive_columns.value_or(false);
  return parts_.open_applier(flow.flow, std::move(context));
}

std::vector<Update::FlowState*> Update::FlowsWithWork() {
  std::vector<FlowState*> flows;
  for (auto& [table, flow] : flows_) {
    if (flow->failed || flow->excluded) continue;
    if (flow->more || flow->last_segment > flow->done_through) flows.push_back(flow.get());
  }
  return flows;
}

std::vector<Update::Outcome> Update::ApplyAll(const std::vector<FlowState*>& flows,
                                              const std::stop_token& stop) {
  std::vector<Outcome> outcomes(flows.size());
  auto through = checkpoint_.through;
  auto apply_one = [&, this](size_t i) {
    auto& flow = *flows[i];
    outcomes[i].flow = &flow;
    if (stop.stop_requested()) return;
    if (flow.applier == nullptr) {
      auto opened = OpenFlow(flow);
      if (!opened.ok()) {
        outcomes[i].result = opened.status();
        return;
      }
      flow.applier = std::move(opened).value();
    }
    outcomes[i].result = flow.applier->Apply(through, stop);
  };
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i = next++; i < flows.size(); i = next++) apply_one(i);
  };
  auto threads = std::min(static_cast<size_t>(options_.threads), flows.size());
  std::vector<std::jthread> pool;
  for (size_t i = 1; i < threads; ++i) pool.emplace_back(work);
  work();
  pool.clear();
  return outcomes;
}

Status Update::TakeOutcome(FlowState& flow, const Result<Applied>& result) {
  auto table = flow.flow.source.ToString();
  if (!result.ok()) {
    auto why = result.status();
    if (ConcernsAll(why)) return std::move(why).With("table", table);
    if (why.Is(ErrorClass::DELTA_CONFLICT) && ++flow.conflicts < kConflictsMax) return Status::Ok();
    FRESHET_TRY(bool waits, WaitsForRefresh(flow, why));
    if (waits) {
      if (why.Is(ErrorClass::SNAPSHOT_STALE)) flow.stale = why;
      flow.more = false;
      flow.done_through = checkpoint_.through;
    } else {
      Fail(flow, why);
    }
    return Status::Ok();
  }
  flow.conflicts = 0;
  flow.stale.reset();
  const bool unseen =
      result->state == Applied::State::kCompacted || result->state == Applied::State::kRefreshed;
  flow.more = result->state == Applied::State::kCommitted || unseen;
  const bool refreshing = result->state == Applied::State::kRefreshed;
  if (refreshing && !std::exchange(flow.refreshing, true)) {
    parts_.observer->OnEvent(
        {"table_refreshing", {{"table", table}, {"flow", flow.flow.id.value()}}});
  }
  if (unseen) return Status::Ok();
  if (flow.more) {
    FRESHET_CHECK_OK(Created(flow));
    flow.current = false;
    if (result->swapped) flow.refreshing = false;
    parts_.observer->OnEvent({"table_committed",
                              {{"table", table},
                               {"version", result->version},
                               {"through", result->through.value()},
                               {"inserted", result->rows_inserted},
                               {"updated", result->rows_updated},
                               {"deleted", result->rows_deleted},
                               {"committed_at", result->committed_at}}});
    return Status::Ok();
  }
  flow.done_through = checkpoint_.through;
  flow.needed_after = result->needed_after;
  bool current = result->state == Applied::State::kCurrent;
  if (current && (!flow.current || result->reread))
    parts_.observer->OnEvent(
        {"table_current", {{"table", table}, {"through", flow.done_through.value()}}});
  flow.current = current;
  return Status::Ok();
}

Status Update::Created(const FlowState& flow) {
  if (!created_.insert(flow.flow.id).second) return Status::Ok();
  reader_.flows_created.assign(created_.begin(), created_.end());
  return staging::PutReader(*staging_store_, reader_);
}

void Update::Fail(FlowState& flow, const Status& why) {
  flow.failed = why;
  flow.current = false;
  auto state = checkpoint_.tables.find(flow.flow.table);
  flow.broken = state != checkpoint_.tables.end() && state->second.broken.has_value();
  flow.applier.reset();
  parts_.observer->OnEvent(
      WithStatus({"table_failed", {{"table", flow.flow.source.ToString()}}}, why));
}

Status Update::Tidy() {
  auto floor = checkpoint_.through;
  for (const auto& [table, flow] : flows_) {
    const auto& state = checkpoint_.tables.at(table);
    // A table whose changes ended for good takes none of these segments any more.
    if (flow->failed && state.broken) continue;
    // One that nothing was ever read of begins with what is staged later.
    if (flow->excluded && !state.generations.contains(flow->flow.id)) continue;
    // A table whose segments are all applied holds nothing back, however long ago that was.
    if (flow->last_segment > flow->done_through) floor = std::min(floor, flow->done_through);
    if (flow->needed_after) floor = std::min(floor, *flow->needed_after);
  }
  if (floor == reader_.floor) return Status::Ok();
  reader_.floor = floor;
  return staging::PutReader(*staging_store_, reader_);
}

Update::FlowState* Update::FlowOf(const TableId& table) {
  auto found = flows_.find(table);
  return found == flows_.end() ? nullptr : found->second.get();
}

}  // namespace freshet::pipeline
