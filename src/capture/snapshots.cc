// SPDX-License-Identifier: Apache-2.0
#include "capture/snapshots.h"

#include <algorithm>
#include <set>

#include "base/limits.h"
#include "capture/shape_change.h"

namespace freshet::capture {
namespace {

using staging::FlowId;
using staging::Generation;
using staging::GenerationState;

/// Wishes that come one by one share a snapshot when they pause for one poll, or after this many.
constexpr int kPollsUnsettledMax = 5;
/// Tables are begun while fewer chunks than this wait for a reader.
constexpr int64_t kChunksWaitingMin = 32;

double Seconds(MonotonicTime from, MonotonicTime to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Snapshots::Snapshots(Context context, Tables* tables, StreamFence* fence, SnapshotHolder* holder,
                     Options options)
    : context_(context),
      tables_(tables),
      fence_(fence),
      holder_(holder),
      serves_(options.serves),
      tells_unread_(options.tells_unread),
      rereads_(context, tables, options.reread_interval, options.selects),
      readers_(options.readers, context.writer, context.staging),
      taker_([this] { return TakeSnapshot(); }, options.readers > 0) {}

const GenerationState& Snapshots::StateOf(const Key& key) const {
  return context_.writer->checkpoint().tables.at(key.first).generations.at(key.second);
}

bool Snapshots::IsStale(const Status& status) {
  return status.Is(ErrorClass::SNAPSHOT_STALE) || status.Is(ErrorClass::NOT_FOUND);
}

SnapshotTaker::Taken Snapshots::TakeSnapshot() const {
  FRESHET_TRY(std::string handle, holder_->Take());
  auto opened = context_.source->ResumeSnapshot(handle);
  if (IsStale(opened.status())) {
    return Error(ErrorClass::SOURCE_UNREACHABLE,
                 "the snapshot was gone as soon as it was taken: {}", opened.status().message());
  }
  if (!opened.ok()) return opened.status();
  return std::shared_ptr<sources::Snapshot>(std::move(*opened));
}

Status Snapshots::Poll(bool settled) {
  if (!settled) begun_settled_.clear();
  settled_ = settled;
  FRESHET_TRY(auto wishes, staging::ListWishes(*context_.staging));
  FRESHET_CHECK_OK(ForgetAnswered(wishes));
  FRESHET_CHECK_OK(TellUnread(wishes));
  NoteWished(wishes);
  GiveUpRests();
  auto wanted = Wanted(wishes);
  settled = settled || wanted == wanted_ || ++polls_unsettled_ >= kPollsUnsettledMax;
  wanted_ = std::move(wanted);
  bool waits = std::all_of(wanted_.begin(), wanted_.end(), [&](const auto& each) {
    auto ahead = ahead_.find(each.first.first);
    return ahead != ahead_.end() && !fence_->Passed(ahead->second.ticket);
  });
  bool may_begin = settled && !waits && !taker_.busy() && beginning_ == nullptr &&
                   context_.clock->Now() >= begin_after_;
  if (!may_begin || snapshots_open() >= limits::kSnapshotsMax) return Status::Ok();
  polls_unsettled_ = 0;
  // A change the snapshot does not hold is committed after it began, so no earlier segment can hold
  // it.
  first_segment_ = context_.writer->next();
  taking_ = wanted_;
  taker_.Start();
  return TakeTaken();
}

Status Snapshots::TakeTaken() {
  auto taken = taker_.Take();
  if (!taken) return Status::Ok();
  if (!taken->ok())
    return LeaveAllUnread(taken->status()) ? Status::Ok() : HoldOff(taken->status());
  held_.insert((**taken)->Handle());
  beginning_ = **taken;
  return BeginSome();
}

int Snapshots::snapshots_open() const {
  std::set<const sources::Snapshot*> open;
  for (const auto& [key, running] : running_) open.insert(running.snapshot.get());
  return static_cast<int>(open.size());
}

int64_t Snapshots::chunks_waiting() const {
  int64_t chunks = 0;
  for (const auto& [key, running] : running_) chunks += std::ssize(running.waiting);
  return chunks;
}

/// Plan tables as the readers come to them: what a plan takes, here and of the source, does not
/// grow with the number of tables, and changes are not kept waiting by thousands of plans.
Status Snapshots::BeginSome() {
  while (beginning_ != nullptr && chunks_waiting() < kChunksWaitingMin) {
    if (taking_.empty()) return EndBeginning();
    const Key key = taking_.begin()->first;
    taking_.erase(taking_.begin());
    // A table may have broken meanwhile, which takes its wishes along.
    auto wanted = wanted_.find(key);
    if (wanted != wanted_.end()) FRESHET_CHECK_OK(BeginNext(key, wanted->second));
  }
  return Status::Ok();
}

Status Snapshots::BeginNext(const Key& key, Generation generation) {
  auto shown = ShapeFor(*beginning_, key.first);
  if (LeaveUnread(key.first, shown.status())) return Status::Ok();
  if (shown.status().Is(ErrorClass::SOURCE_BLOCKED)) {
    blocked_ = shown.status();
    return Status::Ok();
  }
  // Its holder may have crashed meanwhile: the next one is asked for, as for a stale plan.
  if (shown.status().Is(ErrorClass::SNAPSHOT_STALE)) return Status::Ok();
  FRESHET_TRY(auto shape, std::move(shown));
  if (shape == nullptr) return Status::Ok();
  Status begun = BeginWhole(key, generation, shape);
  if (LeaveUnread(key.first, begun)) return Status::Ok();
  if (begun.Is(ErrorClass::SOURCE_BLOCKED)) blocked_ = begun;
  if (IsStale(begun) || begun.Is(ErrorClass::SOURCE_BLOCKED)) return Status::Ok();
  if (IsOfTable(begun)) {
    problems_.emplace_back(key.first, begun);
    return Status::Ok();
  }
  FRESHET_CHECK_OK(begun);
  wanted_.erase(key);
  begun_some_ = true;
  return Status::Ok();
}

Status Snapshots::EndBeginning() {
  // Nothing may be sealed for long, and what nobody reads from holds back the source.
  if (!std::exchange(begun_some_, false) && held_.erase(beginning_->Handle()) > 0)
    holder_->KeepOnly(held_);
  beginning_.reset();
  Status blocked = std::exchange(blocked_, Status::Ok());
  blocked_told_ = blocked_told_ && !blocked.ok();
  return blocked.ok() ? blocked : HoldOff(blocked);
}

Result<std::shared_ptr<const record::TableShape>> Snapshots::ShapeFor(sources::Snapshot& snapshot,
                                                                      const TableId& table) {
  using Shape = std::shared_ptr<const record::TableShape>;
  if (!tables_->follows(table)) return Shape();
  auto shown = snapshot.Describe(table);
  if (shown.status().Is(ErrorClass::NOT_FOUND)) {
    table_missed_ = true;
    return Shape();
  }
  const bool logged = tables_->shape(table)->logged;
  if (shown.ok() && logged && !shown->logged) {
    table_missed_ = true;  // discovery says why
    return Shape();
  }
  if (shown.ok() && !logged) Rereads::FitKey(*tables_->shape(table), &*shown);
  if (shown.ok() && shown->SameColumns(*tables_->shape(table))) {
    ahead_.erase(table);
    tables_->TakeComments(*shown);
    return tables_->shape(table);
  }
  auto news = shown.ok() ? tables_->IsNews(*shown) : Result<bool>(shown.status());
  const Status why = news.status();
  if (IsTableProblem(why) || (logged && IsOfTable(why))) {
    problems_.emplace_back(table, why);
    return Shape();
  }
  FRESHET_CHECK_OK(why);
  if (!*news) return tables_->TakeKept(*shown, snapshot.Position());
  if (logged) return ShapeAhead(*shown, snapshot.Position());
  FRESHET_CHECK_OK(tables_->TakeShape(*shown, snapshot.Position()).status());
  return tables_->shape(table);
}

/// Rows of the former shape may still be on their way. Once the stream has passed a snapshot that
/// showed the new shape and has not announced it, there are none: the table was quiet.
Result<std::shared_ptr<const record::TableShape>> Snapshots::ShapeAhead(
    const record::TableShape& shown, Sequence position) {
  using Shape = std::shared_ptr<const record::TableShape>;
  auto ahead = ahead_.find(shown.id);
  bool passed = ahead != ahead_.end() && fence_->Passed(ahead->second.ticket) &&
                ahead->second.shape.SameColumns(shown);
  if (!passed) {
    FRESHET_TRY(StreamFence::Ticket ticket, fence_->Ask());
    ahead_[shown.id] = {.shape = shown, .ticket = ticket};
    return Shape();
  }
  ahead_.erase(ahead);
  FRESHET_CHECK_OK(tables_->TakeShape(shown, position).status());
  Fill(shown.id);
  return tables_->shape(shown.id);
}

Status Snapshots::Begin(const Key& key, Generation generation,
                        const std::shared_ptr<sources::Snapshot>& snapshot,
                        const std::shared_ptr<const record::TableShape>& shape,
                        staging::SegmentNumber first_segment) {
  FRESHET_TRY(auto chunks, snapshot->Plan(*shape));
  const auto& generations = context_.writer->checkpoint().tables.at(key.first).generations;
  auto former = generations.find(key.second);
  const bool fill = former != generations.end() && IsFill(key, former->second);
  std::optional<std::vector<record::ColumnId>> columns;
  std::shared_ptr<const record::TableShape> read = shape;
  if (fill) {
    columns = context_.writer->checkpoint().tables.at(key.first).Lacking(former->second);
    read = std::make_shared<const record::TableShape>(Narrowed(*shape, *columns));
  }
  bool renamed = former != generations.end() && former->second.successor &&
                 *former->second.successor != generation;
  if (renamed) {
    context_.writer->Note(
        staging::GenerationAbandoned{.flow = key.second,
                                     .table = key.first,
                                     .generation = former->second.begun.generation,
                                     .successor = generation,
                                     .why = "a newer snapshot was asked for",
                                     .untold = former->second.ended});
  }
  Running running{.begun = {.flow = key.second,
                            .table = key.first,
                            .generation = generation,
                            .position = snapshot->Position(),
                            .taken_at = snapshot->TakenAt(),
                            .shape_version = shape->version,
                            .first_segment = first_segment,
                            .chunks = std::ssize(chunks),
                            .rows_estimated = EstimatedRows(chunks),
                            .difference = rereads_.IsDifference(key),
                            .columns = std::move(columns),
                            .view = snapshot->Handle(),
                            .plan = TextsOf(chunks)},
                  .snapshot = snapshot,
                  .shape = read,
                  .waiting = {chunks.begin(), chunks.end()},
                  .chunks_left = std::ssize(chunks),
                  .stop = {},
                  .begun_at = context_.clock->Now(),
                  .told_at = context_.clock->Now()};
  FRESHET_CHECK_OK(SetFence(&running));
  if (former != generations.end() && former->second.begun.difference)
    superseded_[key].push_back(former->second.begun.generation);
  context_.writer->Note(running.begun);
  if (settled_) begun_settled_.insert(key);
  context_.Tell("snapshot_started", {{"table", shape->name.ToString()},
                                     {"flow", key.second.value()},
                                     {"generation", generation.value()},
                                     {"chunks", running.begun.chunks},
                                     {"rows_estimated", running.begun.rows_estimated},
                                     {"difference", running.begun.difference},
                                     {"fills_columns", running.begun.columns.has_value()}});
  running_.emplace(key, std::move(running));
  EndRead();
  return Status::Ok();
}

void Snapshots::End(const Key& key, Running& running) {
  context_.writer->Note(staging::GenerationEnded{.flow = key.second,
                                                 .table = key.first,
                                                 .generation = running.begun.generation,
                                                 .rows = running.rows,
                                                 .values_nulled = running.values_nulled});
  // All of the table was wished meanwhile, which waited for these.
  if (running.begun.columns && wished_.contains(key))
    wanted_.emplace(key, Generation(running.begun.generation.value() + 1));
  rereads_.OnRead(key, context_.clock->Now() - running.begun_at);
  if (!running.shape->logged) unread_[key] = Status::Ok();
  for (const Generation& former : std::exchange(superseded_[key], {}))
    obsolete_[key].push_back(former);
  context_.Tell("snapshot_completed",
                {{"table", running.shape->name.ToString()},
                 {"flow", key.second.value()},
                 {"generation", running.begun.generation.value()},
                 {"rows", running.rows},
                 {"values_nulled", running.values_nulled},
                 {"seconds", Seconds(running.begun_at, context_.clock->Now())}});
}

void Snapshots::Abandon(const Key& key, const std::string& why, bool untold) {
  const GenerationState& state = StateOf(key);
  Generation generation = state.begun.generation;
  Generation successor(generation.value() + 1);
  context_.writer->Note(staging::GenerationAbandoned{.flow = key.second,
                                                     .table = key.first,
                                                     .generation = generation,
                                                     .successor = successor,
                                                     .why = why,
                                                     .untold = untold});
  rests_.erase(key);
  context_.Tell("snapshot_abandoned", {{"table", tables_->shape(key.first)->name.ToString()},
                                       {"flow", key.second.value()},
                                       {"generation", generation.value()},
                                       {"successor", successor.value()},
                                       {"why", why}});
  wanted_[key] = successor;
}

void Snapshots::Restart(const TableId& table, Sequence at, const std::string& why) {
  Restart(table, at, why, false);
}

void Snapshots::Restart(const TableId& table, Sequence at, const std::string& why, bool untold) {
  // A snapshot that is being taken may show the table as it was before.
  std::erase_if(taking_, [&](const auto& each) { return each.first.first == table; });
  RestartRests(table, at, why, untold);
  for (auto each = running_.begin(); each != running_.end();) {
    // Some columns alone are not all that is to be read again then, whenever they were read.
    const auto& begun = each->second.begun;
    bool concerned =
        each->first.first == table && (begun.position < at || (untold && begun.columns));
    if (!concerned) {
      ++each;
      continue;
    }
    each->second.stop.request_stop();
    Key key = each->first;
    each = running_.erase(each);
    Abandon(key, why, untold);
  }
}

void Snapshots::Reread(const TableId& table, Sequence at, const std::string& why) {
  Restart(table, at, why, true);
  std::vector<Key> earlier;
  std::vector<GenerationBegun> later;
  for (const auto& [flow, generation] :
       context_.writer->checkpoint().tables.at(table).generations) {
    if (generation.whole().position >= at) {
      later.push_back(generation.whole());
    } else if (!generation.successor || (generation.base && !generation.untold)) {
      earlier.emplace_back(table, flow);
    }
  }
  for (const Key& key : earlier) Abandon(key, why, true);
  for (const GenerationBegun& begun : later) EndFormer(begun, why);
}

void Snapshots::EndFormer(const GenerationBegun& begun, const std::string& why) {
  Generation former(begun.generation.value() - 1);
  if (former.value() == 0) return;
  context_.writer->Note(staging::GenerationAbandoned{.flow = begun.flow,
                                                     .table = begun.table,
                                                     .generation = former,
                                                     .successor = begun.generation,
                                                     .why = why,
                                                     .untold = true});
}

void Snapshots::Stop(const TableId& table) {
  std::erase_if(running_, [&](auto& each) {
    if (each.first.first != table) return false;
    each.second.stop.request_stop();
    return true;
  });
  std::erase_if(wanted_, [&](const auto& each) { return each.first.first == table; });
  std::erase_if(taking_, [&](const auto& each) { return each.first.first == table; });
  std::erase_if(rests_, [&](const Key& key) { return key.first == table; });
  ahead_.erase(table);
}

Status Snapshots::Work() {
  FRESHET_CHECK_OK(TakeTaken());
  FRESHET_CHECK_OK(BeginSome());
  HandOut();
  while (auto result = readers_.Take()) {
    FRESHET_CHECK_OK(OnResult(std::move(*result)));
  }
  EndRead();
  HandOut();
  TellProgress();
  return Status::Ok();
}

void Snapshots::HandOut() {
  for (auto& [key, running] : running_) {
    while (!running.waiting.empty()) {
      if (readers_.full()) return;
      readers_.Hand({.flow = key.second,
                     .generation = running.begun.generation,
                     .snapshot = running.snapshot,
                     .shape = running.shape,
                     .chunk = std::move(running.waiting.front()),
                     .stop = running.stop.get_token(),
                     .rows_read = running.rows_read});
      running.waiting.pop_front();
    }
  }
}

Status Snapshots::OnResult(ChunkResult result) {
  auto found = running_.find({result.table, result.flow});
  if (found == running_.end() || found->second.begun.generation != result.generation ||
      found->second.begun.view != result.view) {
    // Abandoned, or to be read from another snapshot, while it was read: nobody will ever name
    // these.
    for (const auto& part : result.parts) FRESHET_CHECK_OK(context_.staging->Remove(part.path));
    return Status::Ok();
  }
  Running& running = found->second;
  const bool passes = IsStale(result.status) || rereads_.IsInterrupted(found->first, result.status);
  if (passes && rereads_.MayBeginAnew(found->first)) {
    std::string why(result.status.message());
    if (!LeaveRest(found->first, why)) Restart(result.table, AfterEverything(), why);
    return Status::Ok();
  }
  if (LeaveUnread(result.table, result.status)) return Status::Ok();
  if (IsOfTable(result.status)) {
    running.stop.request_stop();
    problems_.emplace_back(result.table, result.status);
    return Status::Ok();
  }
  if (!result.status.ok())
    return std::move(result.status).With("table", running.shape->name.ToString());

  // All of a chunk is noted without a Seal in between, so it is in one manifest or in none.
  for (auto& part : result.parts) context_.writer->Note(std::move(part));
  context_.writer->Note(staging::ChunkDone{.flow = result.flow,
                                           .table = result.table,
                                           .generation = result.generation,
                                           .chunk = result.chunk,
                                           .rows = result.rows,
                                           .values_nulled = result.values_nulled});
  running.rows += result.rows;
  running.values_nulled += result.values_nulled;
  --running.chunks_left;
  context_.Tell("snapshot_chunk_read", {{"table", running.shape->name.ToString()},
                                        {"flow", result.flow.value()},
                                        {"generation", result.generation.value()},
                                        {"chunk", result.chunk},
                                        {"rows", result.rows},
                                        {"chunks_left", running.chunks_left}});
  EndRead();
  return Status::Ok();
}

}  // namespace freshet::capture
