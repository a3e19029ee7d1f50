// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "apply/column_change.h"
#include "apply/history_files.h"
#include "apply/history_plan.h"
#include "apply/index_follow.h"
#include "apply/shadow_difference.h"
#include "apply/staging_applier.h"

namespace freshet::apply {

Result<std::optional<Applied>> StagingApplier::SwitchHistory(bool logged,
                                                             const std::stop_token& stop) {
  std::vector<delta::Column> columns = known_->columns;
  TableMark mark = mark_;
  FRESHET_TRY(mark.history, MarkHistory(context_.history, columns, mark.key.empty(), logged));
  if (mark.history == mark_.history) return std::optional<Applied>();
  FRESHET_TRY(const bool rewrites, RewritesOnSwitch(mark_.history, mark.history));
  FRESHET_CHECK_OK(AddHistoryColumns(mark.history, &columns));
  const int64_t now_ms = NowMs();
  Draft draft;
  draft.operation = rewrites ? "WRITE" : "SET TBLPROPERTIES";
  draft.keeps_row_ids = !rewrites;
  draft.actions = Redescribe(*known_, columns, mark, now_ms);
  draft.positions = positions_;
  draft.applied.through = positions_.changes;
  FRESHET_TRY(const auto form, TableForm::Of(*known_, std::move(columns), mark));
  DataWriter writer(context_.table, form, now_ms);
  auto committed = [&]() -> Result<Applied> {
    if (rewrites) {
      FRESHET_TRY(const UtcMicros began, SourceTime());
      FRESHET_TRY(auto rows, TurnIntoVersions(table_, *known_, began, form, now_ms, stop, &writer));
      std::move(rows.begin(), rows.end(), std::back_inserter(draft.actions));
    }
    return Commit(std::move(draft));
  }();
  if (committed.status().Is(ErrorClass::DELTA_CONFLICT) ||
      committed.status().Is(ErrorClass::CANCELLED))
    writer.Discard();
  if (!committed.ok()) return committed.status();
  context_.observer->OnEvent({"history_switched",
                              {{"table", flow_.source.ToString()},
                               {"flow", flow_.id.value()},
                               {"version", committed->version},
                               {"history", std::string(NameOf(mark.history.scd_type))}}});
  return std::optional<Applied>(std::move(*committed));
}

/// When the rows of the table's generation were read at the source; 0: nobody knows any more.
Result<UtcMicros> StagingApplier::TakenAt() const {
  FRESHET_TRY(auto latest, context_.staging->Latest());
  auto table = latest->tables.find(flow_.table);
  if (table == latest->tables.end()) return UtcMicros{0};
  auto generation = table->second.generations.find(flow_.id);
  const bool known = generation != table->second.generations.end() &&
                     generation->second.whole().generation == positions_.generation;
  return known ? generation->second.whole().taken_at : UtcMicros{0};
}

/// The source's time of the state that the table has, as near as staging still knows it.
Result<UtcMicros> StagingApplier::SourceTime() const {
  FRESHET_TRY(UtcMicros time, TakenAt());
  if (positions_.changes.value() > 0) {
    auto listed = context_.staging->List(record::SegmentNumber(positions_.changes.value() - 1), 1);
    if (!listed.ok() && !listed.status().Is(ErrorClass::STAGING_EXPIRED)) return listed.status();
    if (listed.ok() && !listed->empty()) time = std::max(time, listed->front()->committed_at);
  }
  return time > 0 ? time : context_.clock->WallNow();
}

/// The columns of the table as those of another location make them; `inactive` of them are the
/// table's alone.
Result<std::vector<delta::Column>> StagingApplier::ColumnsWith(
    const StagingApplier& other, std::vector<record::ColumnId>* inactive) const {
  record::TableShape shape;
  arrow::FieldVector fields;
  for (const auto& column : other.known_->columns) {
    fields.push_back(arrow::field(column.name, column.type));
    shape.ids.push_back(column.id);
  }
  shape.schema = arrow::schema(std::move(fields));
  std::vector<delta::Column> columns = known_->columns;
  Status taken = TakeColumns(shape, mark_, known_->widens_types(), &columns);
  if (taken.Is(ErrorClass::SHAPE_CHANGE_UNSUPPORTED)) {
    return Error(ErrorClass::SHAPE_CHANGE_UNSUPPORTED, "{}, and the table keeps its history",
                 taken.message())
        .WithRemedy("Restore the type, or ingest the table into another directory.");
  }
  FRESHET_CHECK_OK(taken);
  *inactive = InactiveColumns(columns, shape);
  FRESHET_CHECK_OK(AddHistoryColumns(mark_.history, &columns));
  return columns;
}

Result<Applied> StagingApplier::TakeRowsOf(const StagingApplier& other,
                                           const std::stop_token& stop) {
  if (other.mark_.key != mark_.key) {
    return Named(Error(ErrorClass::KEY_CHANGED, "the key changed, and the table keeps its history")
                     .WithRemedy("Restore the key, or ingest the table into another directory."));
  }
  auto applied = [&]() -> Result<Applied> {
    FRESHET_TRY(const auto then, TableForm::Of(*other.known_, other.mark_));
    FRESHET_CHECK_OK(other.IndexKnown(then, stop));
    TableMark mark = other.mark_;
    FRESHET_TRY(auto columns, ColumnsWith(other, &mark.inactive));
    mark.history = mark_.history;
    mark.dropped = mark_.dropped;
    Draft draft;
    draft.operation = "MERGE";
    draft.actions = Redescribe(*known_, columns, mark, NowMs(),
                               {.comment = other.known_->metadata.description});
    FRESHET_TRY(const auto now, TableForm::Of(*known_, std::move(columns), mark));
    FRESHET_CHECK_OK(IndexKnown(now, stop));
    FRESHET_CHECK_OK(paths_.Follow(*known_));
    const auto planner = PlannerOf(now);
    FRESHET_TRY(UtcMicros at, other.TakenAt());
    if (at == 0) {
      FRESHET_TRY(at, other.SourceTime());
    }
    ShadowDifference difference({context_.table, known_, &now, IndexName()},
                                {other.context_.table, other.known_, &then, other.IndexName()}, at,
                                context_.index);
    auto plan = planner->Plan(&difference, stop);
    if (!plan.ok()) {
      planner->Discard();
      return plan.status();
    }
    draft.positions = {other.positions_.generation,
                       std::max(positions_.snapshot, other.positions_.snapshot),
                       std::max(positions_.changes, other.positions_.changes)};
    draft.applied = {.through = draft.positions.changes,
                     .rows_inserted = plan->rows_inserted,
                     .rows_updated = plan->rows_updated,
                     .rows_deleted = plan->rows_deleted};
    std::ranges::move(plan->actions, std::back_inserter(draft.actions));
    auto committed = Commit(std::move(draft));
    if (committed.status().Is(ErrorClass::DELTA_CONFLICT)) planner->Discard();
    return committed;
  }();
  if (!applied.ok()) return Named(applied.status());
  scanned_ = record::SegmentNumber(0);
  ended_ = false;
  return applied;
}

}  // namespace freshet::apply
