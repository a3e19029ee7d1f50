// SPDX-License-Identifier: Apache-2.0
#include "apply/staging_applier.h"

#include <algorithm>

#include "apply/append_plan.h"
#include "apply/column_change.h"
#include "apply/history_files.h"
#include "apply/history_plan.h"
#include "apply/index_follow.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "delta/stats.h"
#include "record/arrow_status.h"

namespace freshet::apply {

using record::Generation;
using record::SegmentNumber;
using staging::Checkpoint;
using staging::GenerationBegun;
using staging::TableState;

namespace {

int64_t Number(const delta::Snapshot& snapshot, const std::string& app_id) {
  return snapshot.txns.at(app_id).version;
}

TableWords WordsOf(const record::TableShape& shape) {
  TableWords words;
  if (shape.comments) words.comment = shape.comments->table;
  return words;
}

}  // namespace

Status StagingApplier::Named(const Status& status) const {
  return Status(status).With("table", flow_.source.ToString());
}

Result<Positions> StagingApplier::Current() {
  FRESHET_CHECK_OK(Named(Refresh()));
  return positions_;
}

Result<Applied> StagingApplier::Apply(SegmentNumber through, const std::stop_token& stop) {
  for (int attempt = 0; attempt < limits::kCommitAttemptsMax; ++attempt) {
    if (stop.stop_requested()) return Error(ErrorClass::CANCELLED, "apply was stopped");
    auto applied = Step(through, stop);
    if (applied.ok()) return applied;
    if (!applied.status().Is(ErrorClass::DELTA_CONFLICT)) return Named(applied.status());
    context_.observer->OnEvent(
        {"commit_conflict", {{"table", flow_.source.ToString()}, {"flow", flow_.id.value()}}});
  }
  return Named(Error(ErrorClass::DELTA_CONFLICT, "lost {} commit races in a row",
                     limits::kCommitAttemptsMax));
}

Status StagingApplier::IndexKnown(const TableForm& form, const std::stop_token& stop) const {
  return FollowIndex(context_.index, IndexName(), form, table_, *known_,
                     {context_.scratch_folder, context_.index_entries_max}, stop);
}

record::FlowId StagingApplier::IndexName() const {
  return record::FlowId(fmt::format("{}/{}", flow_.id.value(), positions_.generation.value()));
}

Result<KeyIndex::Mark> StagingApplier::IndexMark() const {
  FRESHET_TRY(auto form, TableForm::Of(*known_, mark_));
  return KeyIndex::Mark{known_->version, std::move(form.layout)};
}

Status StagingApplier::ReadPositions(const delta::Snapshot& snapshot, TableMark* mark,
                                     Positions* positions) {
  const auto& txns = snapshot.txns;
  size_t known =
      txns.count(names_.generation) + txns.count(names_.snapshot) + txns.count(names_.changes);
  FRESHET_TRY(auto read, TableMark::Of(snapshot.metadata.configuration));
  if (!read) {
    if (known > 0) return Error(ErrorClass::POSITION_LOST, "the table lost its freshet properties");
    return Error(ErrorClass::TABLE_FOREIGN, "another program made this table");
  }
  if (read->staging != context_.staging->staging_id()) {
    return Error(ErrorClass::POSITION_LOST, "the table names another staging: {}", read->staging);
  }
  if (read->table != flow_.table.value()) {
    return Error(ErrorClass::TABLE_RECREATED, "the destination holds the rows of table {}",
                 read->table);
  }
  if (read->flow != flow_.id.value()) {
    return Error(ErrorClass::TABLE_FOREIGN, "the table belongs to the flow {}", read->flow);
  }
  if (known != 3) return Error(ErrorClass::POSITION_LOST, "a txn of the table is missing");
  positions->generation = Generation(Number(snapshot, names_.generation));
  positions->snapshot = SegmentNumber(Number(snapshot, names_.snapshot));
  positions->changes = SegmentNumber(Number(snapshot, names_.changes));
  *mark = std::move(*read);
  return Status::Ok();
}

/// Read the table's newest state. Another's commit with our txns means that this process is the
/// zombie.
Status StagingApplier::Refresh() {
  auto latest = table_.Latest(known_);
  if (latest.status().Is(ErrorClass::NOT_FOUND)) {
    if (known_ == nullptr && !context_.created_before) return Status::Ok();
    return Error(ErrorClass::POSITION_LOST, "the destination table is gone");
  }
  if (!latest.ok()) return latest.status();
  if (known_ != nullptr && (*latest)->version == known_->version) return Status::Ok();
  TableMark mark;
  Positions positions;
  FRESHET_CHECK_OK(ReadPositions(**latest, &mark, &positions));
  if (known_ != nullptr) {
    if (positions != positions_) {
      return Error(ErrorClass::COMMIT_ZOMBIE, "another process moved the table's positions");
    }
    context_.observer->OnEvent({"foreign_commit",
                                {{"table", flow_.source.ToString()},
                                 {"flow", flow_.id.value()},
                                 {"version", (*latest)->version}}});
  }
  known_ = std::move(*latest);
  mark_ = std::move(mark);
  positions_ = positions;
  return Status::Ok();
}

Result<Applied> StagingApplier::Step(SegmentNumber through, const std::stop_token& stop) {
  FRESHET_CHECK_OK(Refresh());
  FRESHET_TRY(auto newest, context_.staging->Latest());
  const Checkpoint& latest = *newest;
  through = std::min(through, latest.through);
  Applied waiting{.state = Applied::State::kWaiting, .through = through};
  auto found = latest.tables.find(flow_.table);
  if (found == latest.tables.end()) return waiting;
  const TableState& state = found->second;
  if (known_ != nullptr && mark_.complete) {
    // Before anything is planned, for a plan goes by what the table is.
    FRESHET_TRY(auto told, TakeProperties());
    if (told) return *told;
    FRESHET_TRY(auto dropped, DropColumns());
    if (dropped) return *dropped;
  }
  auto generation = state.generations.find(flow_.id);
  if (generation == state.generations.end()) {
    // A generation that no checkpoint names any more was complete; without a table none began.
    if (known_ == nullptr || !mark_.complete) return Settled(waiting, latest, state);
  } else {
    const GenerationBegun& begun = generation->second.whole();
    if (known_ == nullptr) return Create(begun, state);
    if (!mark_.complete) return ReadOn(begun, latest, state, through, stop);
    std::optional<GenerationBegun> successor;
    if (begun.generation > positions_.generation) successor = begun;
    if (successor && successor->difference) {
      FRESHET_TRY(auto applied, TakeDifference(generation->second, state, through, stop));
      if (applied) return *applied;
    }
  }
  FRESHET_TRY(auto switched, SwitchHistory(!state.shape || state.shape->logged, stop));
  if (switched) return *switched;
  const auto held = HeldAfter(state);
  const SegmentNumber until = std::min(through, held.value_or(through));
  const SegmentNumber from = std::max(positions_.changes, scanned_);
  const bool logged = !state.shape || state.shape->logged;
  if (logged && from < until && state.last_segment > from) {
    FRESHET_TRY(auto compacted, Compact(/*waits=*/true, stop));
    if (compacted) return *compacted;
    pace_.Begin();
    FRESHET_TRY(auto applied, Changes(until, stop));
    if (applied) return *applied;
  }
  if (held) {
    FRESHET_TRY(auto applied, TakeColumnsRead(state, through, stop));
    if (applied) return *applied;
  }
  // Once it is said that the rows are not what the changes make of them, no change is applied any
  // more: a later generation comes.
  if (ended_) return Settled(waiting, latest, state);
  FRESHET_TRY(auto compacted, Compact(/*waits=*/false, stop));
  if (compacted) return *compacted;
  pace_.Rest();
  waiting.held = held && *held < through;
  if (held) return Settled(waiting, latest, state);
  return Settled({.state = Applied::State::kCurrent,
                  .reread = std::exchange(reread_, false),
                  .version = known_->version,
                  .through = through,
                  .committed_at = latest.through == through ? latest.committed_at : 0},
                 latest, state);
}

/// What a table that has nothing more to apply answers: itself, or why it will never have more.
Result<Applied> StagingApplier::Settled(Applied applied, const Checkpoint& latest,
                                        const TableState& state) const {
  if (known_ != nullptr && (!mark_.complete || applied.held))
    applied.needed_after = positions_.changes;
  bool all_seen = latest.through == applied.through || state.last_segment <= applied.through;
  if (!all_seen) return applied;
  if (state.broken) {
    auto error_class = ErrorClassOf(state.broken->error_class).value_or(ErrorClass::INTERNAL);
    return MakeError(error_class, state.broken->message).WithRemedy(state.broken->remedy);
  }
  if (state.dropped && applied.state == Applied::State::kWaiting) {
    return Error(ErrorClass::NOT_FOUND,
                 "the table was dropped at the source before its snapshot was complete");
  }
  return applied;
}

/// What a table of this generation says of itself, and the columns that it has.
Result<TableMark> StagingApplier::MarkOf(const GenerationBegun& begun,
                                         const record::TableShape& shape,
                                         std::vector<delta::Column>* columns) const {
  TableMark mark;
  mark.staging = context_.staging->staging_id();
  mark.flow = flow_.id.value();
  mark.table = flow_.table.value();
  mark.pipeline = context_.pipeline_mark;
  for (int ordinal : shape.key) mark.key.push_back(shape.ids[static_cast<size_t>(ordinal)]);
  mark.position = begun.position;
  mark.shape_version = shape.version;
  *columns = ColumnsOf(shape);
  FRESHET_TRY(mark.history, MarkHistory(context_.history, *columns, shape.keyless(), shape.logged));
  FRESHET_CHECK_OK(AddHistoryColumns(mark.history, columns));
  return mark;
}

Result<Applied> StagingApplier::Create(const GenerationBegun& begun, const TableState& state) {
  FRESHET_TRY(auto shape, FindShape(context_.staging, begun, state));
  Draft draft;
  draft.operation = "CREATE TABLE";
  std::vector<delta::Column> columns;
  FRESHET_TRY(const auto mark, MarkOf(begun, shape, &columns));
  TableWords words = WordsOf(shape);
  words.properties = context_.properties;
  draft.actions = DescribeNew(std::move(columns), mark, words, NowMs());
  SegmentNumber before(begun.first_segment.value() - 1);
  draft.positions = {begun.generation, before, before};
  draft.applied.through = before;
  return Commit(std::move(draft));
}

/// Take what there is of the generation that is being read.
Result<Applied> StagingApplier::ReadOn(const GenerationBegun& begun, const Checkpoint& latest,
                                       const TableState& state, SegmentNumber through,
                                       const std::stop_token& stop) {
  std::optional<GenerationBegun> successor;
  if (begun.generation > positions_.generation) successor = begun;
  if (begun.rest_from) FRESHET_CHECK_OK(CheckRest());
  FRESHET_TRY(auto applied, Chunks(successor, state, through));
  if (!applied && begun.rest_from) {
    FRESHET_TRY(applied, TakeRest(begun, state, through, stop));
  }
  if (applied) return *applied;
  return Settled({.state = Applied::State::kWaiting, .through = through}, latest, state);
}

/// Take the next chunks of the generation that is being read, before those of its rest; nothing:
/// there are none.
Result<std::optional<Applied>> StagingApplier::Chunks(
    const std::optional<GenerationBegun>& successor, const TableState& state,
    SegmentNumber through) {
  const GenerationBegun& begun = state.generations.at(flow_.id).whole();
  Generation generation = successor ? successor->generation : positions_.generation;
  SegmentNumber after =
      successor ? SegmentNumber(successor->first_segment.value() - 1) : positions_.snapshot;
  if (begun.rest_from) through = std::min(through, SegmentNumber(begun.rest_from->value() - 1));
  FRESHET_TRY(auto chunks,
              ScanChunks(context_.staging, flow_.table, flow_.id, generation, after, through));
  const bool empties = successor && begun.rest_from;
  if (chunks.parts.empty() && !chunks.ended && !empties) return std::optional<Applied>();
  FRESHET_TRY(auto draft, DraftChunks(successor, chunks, state));
  FRESHET_TRY(auto applied, Commit(std::move(draft)));
  return std::optional<Applied>(std::move(applied));
}

Result<Draft> StagingApplier::DraftChunks(const std::optional<GenerationBegun>& successor,
                                          const StagedChunks& chunks, const TableState& state) {
  const int64_t now_ms = NowMs();
  Draft draft;
  draft.operation = "WRITE";
  draft.positions = positions_;
  TableMark mark = mark_;
  TableWords words;
  std::vector<delta::Column> columns = known_->columns;
  if (successor) {
    FRESHET_TRY(auto shape, FindShape(context_.staging, *successor, state));
    FRESHET_TRY(mark, MarkOf(*successor, shape, &columns));
    words = WordsOf(shape);
    draft.keeps_row_ids = false;
    for (const auto& [path, file] : known_->files)
      draft.actions.emplace_back(RemoveOf(file, now_ms));
    draft.positions.generation = successor->generation;
    draft.positions.changes = SegmentNumber(successor->first_segment.value() - 1);
  }
  mark.complete = chunks.ended;
  if (successor || chunks.ended) {
    auto described = Redescribe(*known_, columns, mark, now_ms, words);
    draft.actions.insert(draft.actions.begin(), described.begin(), described.end());
  }
  Adoption adoption{context_.staging->store().get(), context_.table, context_.root.get(),
                    context_.staging_prefix, context_.table_prefix};
  const bool versions = mark.history.scd_type == ScdType::kType2;
  for (const auto& part : chunks.parts) {
    draft.applied.rows_inserted += part.rows;
    if (part.rows == 0 || versions) continue;
    FRESHET_TRY(auto add, AdoptPart(adoption, part, columns, now_ms));
    draft.actions.emplace_back(std::move(add));
  }
  if (versions) {
    FRESHET_TRY(const auto form, TableForm::Of(*known_, columns, mark));
    DataWriter writer(context_.table, form, now_ms);
    const auto& begun = successor ? *successor : state.generations.at(flow_.id).whole();
    FRESHET_TRY(auto added,
                WriteParts(context_.staging->store(), chunks.parts, begun.taken_at, form, &writer));
    for (auto& add : added) draft.actions.emplace_back(std::move(add));
  }
  draft.positions.snapshot = chunks.through;
  draft.applied.through = chunks.through;
  return draft;
}

/// The actions that give the table the columns of shapes it has not seen, and its form with them.
Result<std::vector<delta::Action>> StagingApplier::EvolveColumns(
    const std::vector<record::TableShape>& shapes, TableMark mark, TableForm* form) {
  std::vector<delta::Action> actions;
  std::vector<delta::Column> columns = known_->columns;
  TableWords words;
  for (const auto& shape : shapes) {
    FRESHET_CHECK_OK(TakeColumns(shape, mark_, known_->widens_types(), &columns));
    if (shape.comments) words = WordsOf(shape);
    mark.inactive = InactiveColumns(columns, shape);
    mark.shape_version = std::max(mark.shape_version, shape.version);
  }
  if (mark.shape_version != mark_.shape_version || mark.filled != mark_.filled ||
      mark.complete != mark_.complete) {
    FRESHET_CHECK_OK(AddHistoryColumns(mark.history, &columns));
    actions = Redescribe(*known_, columns, mark, NowMs(), words);
  }
  FRESHET_TRY(*form, TableForm::Of(*known_, std::move(columns), mark));
  return actions;
}

/// What takes the table up to `through`, but for the rows; `mark`: what it is to say of itself
/// then, but for the columns; `form`: its form with it.
Result<Draft> StagingApplier::DraftChanges(const StagedChanges& changes, TableMark mark,
                                           SegmentNumber through, TableForm* form) {
  Draft draft;
  draft.operation = "MERGE";
  FRESHET_TRY(draft.actions, EvolveColumns(changes.shapes, std::move(mark), form));
  draft.positions = positions_;
  draft.positions.changes = through;
  draft.applied.through = through;
  draft.applied.committed_at = changes.committed_at;
  return draft;
}

Result<Applied> StagingApplier::CommitChanges(const StagedChanges& changes,
                                              const std::stop_token& stop) {
  TableForm form;
  FRESHET_TRY(auto draft, DraftChanges(changes, mark_, changes.through, &form));
  if (changes.runs.empty() && !changes.truncated) return Commit(std::move(draft));

  ChangeLoader loader(context_.staging, form.rows, changes, mark_.position,
                      context_.fold_bytes_max);
  return CommitInput(std::move(draft), form, changes.truncated, &loader, stop);
}

/// Plan what the changes make of the table and commit it; `truncated`: it is empty before them.
Result<Applied> StagingApplier::CommitInput(Draft draft, const TableForm& form, bool truncated,
                                            ChangeInput* input, const std::stop_token& stop) {
  const record::FlowId index = IndexName();
  if (form.history.appends()) {
    // Nothing is looked up.
  } else if (truncated) {  // every entry is stale, and nothing will be looked up
    FRESHET_CHECK_OK(context_.index->Reset(index));
  } else {
    FRESHET_CHECK_OK(IndexKnown(form, stop));
  }
  FRESHET_CHECK_OK(paths_.Follow(*known_));
  const auto planner = PlannerOf(form);
  auto plan = planner->Plan(input, stop);
  if (!plan.ok()) {
    planner->Discard();
    return plan.status();
  }
  draft.applied.rows_inserted = plan->rows_inserted;
  draft.applied.rows_updated = plan->rows_updated;
  draft.applied.rows_deleted = plan->rows_deleted;
  std::move(plan->actions.begin(), plan->actions.end(), std::back_inserter(draft.actions));
  auto applied = Commit(std::move(draft));
  if (applied.status().Is(ErrorClass::DELTA_CONFLICT)) planner->Discard();
  if (applied.ok()) pace_.Committed();
  if (applied.ok() && plan->has_entries && !form.history.appends()) {
    FRESHET_CHECK_OK(context_.index->Ingest(index, form.rows.keyless(), std::move(plan->entries),
                                            {applied->version, form.layout}));
    FRESHET_CHECK_OK(context_.index->Forget(index, plan->gone));
  }
  return applied;
}

std::unique_ptr<ChangePlanner> StagingApplier::PlannerOf(const TableForm& form) {
  ChangePlanner::Table table{.flow = IndexName(),
                             .name = flow_.source.ToString(),
                             .store = context_.table,
                             .snapshot = known_,
                             .form = &form,
                             .paths = &paths_,
                             .feed = {context_.scratch_folder, context_.difference_bytes_max}};
  if (form.history.plain())
    return std::make_unique<ChangePlanner>(std::move(table), context_.index, NowMs());
  if (form.history.appends())
    return std::make_unique<AppendPlanner>(std::move(table), context_.index, NowMs());
  return std::make_unique<HistoryPlanner>(std::move(table), context_.index, NowMs(), &closed_);
}

Result<Applied> StagingApplier::Replace(const StagingApplier& other) {
  const int64_t now_ms = NowMs();
  Draft draft;
  draft.operation = "WRITE";
  draft.keeps_row_ids = false;
  draft.actions = Redescribe(*known_, other.known_->columns, other.mark_, now_ms,
                             {.comment = other.known_->metadata.description});
  for (const auto& [path, file] : known_->files) draft.actions.emplace_back(RemoveOf(file, now_ms));
  for (const auto& [path, file] : other.known_->files) {
    draft.actions.emplace_back(file);
    const int64_t dead = file.deletion_vector ? file.deletion_vector->cardinality : 0;
    draft.applied.rows_inserted += delta::RowsOf(file.stats_json) - dead;
  }
  draft.positions = {other.positions_.generation,
                     std::max(positions_.snapshot, other.positions_.snapshot),
                     std::max(positions_.changes, other.positions_.changes)};
  draft.applied.through = draft.positions.changes;
  auto applied = Commit(std::move(draft));
  if (!applied.ok()) return Named(applied.status());
  scanned_ = SegmentNumber(0);
  ended_ = false;
  pace_.Looked(/*found=*/true);
  return applied;
}

Result<Applied> StagingApplier::Commit(Draft draft) {
  const int64_t now_ms = NowMs();
  auto txn = [&](const std::string& app_id, int64_t version) {
    draft.actions.emplace_back(delta::Txn{app_id, version, now_ms});
  };
  if (known_ == nullptr || draft.positions != positions_) {
    txn(names_.generation, draft.positions.generation.value());
    txn(names_.snapshot, draft.positions.snapshot.value());
    txn(names_.changes, draft.positions.changes.value());
  }
  delta::CommitInfo info;
  info.at_ms = now_ms;
  info.operation = draft.operation;
  info.metrics_json = fmt::format(
      R"({{"numTargetRowsInserted":"{}","numTargetRowsUpdated":"{}","numTargetRowsDeleted":"{}"}})",
      draft.applied.rows_inserted, draft.applied.rows_updated, draft.applied.rows_deleted);
  info.txn_id = RandomUuid();
  info.engine = "Freshet/" FRESHET_VERSION;
  if (known_ != nullptr && known_->tracks_rows())
    info.tags["delta.rowTracking.preserved"] = draft.keeps_row_ids ? "true" : "false";
  std::vector<std::string> added;
  for (const auto& action : draft.actions) {
    if (const auto* add = std::get_if<delta::AddFile>(&action)) added.push_back(add->path);
  }
  FRESHET_TRY(auto committed, table_.Commit(known_, std::move(info), std::move(draft.actions)));
  FRESHET_CHECK_OK(paths_.Follow(*committed, added));
  FRESHET_CHECK_OK(ReadPositions(*committed, &mark_, &positions_));
  const auto before = std::exchange(known_, std::move(committed));
  if (before != nullptr) TellUpgraded(before->protocol);
  draft.applied.state = Applied::State::kCommitted;
  draft.applied.version = known_->version;
  housekeeping_.AfterCommit(*known_);
  return draft.applied;
}

}  // namespace freshet::apply
