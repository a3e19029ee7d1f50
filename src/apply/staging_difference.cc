// SPDX-License-Identifier: Apache-2.0
// Tables that the log does not tell of: a later generation is compared with the table.
#include "apply/difference.h"
#include "apply/staging_applier.h"

namespace freshet::apply {

/// Take what differs from the newest reading; nothing: it is not complete, or nothing differs, or a
/// later one is on its way because parts of this one are gone.
Result<std::optional<Applied>> StagingApplier::TakeDifference(
    const staging::GenerationState& generation, const staging::TableState& state,
    record::SegmentNumber through, const std::stop_token& stop) {
  const auto& begun = generation.begun;
  const bool compared = compared_ == begun.generation || state.last_segment <= context_.passed;
  if (!generation.ended || generation.successor || compared) return std::optional<Applied>();
  StagedChunks chunks;
  auto applied = CommitDifference(begun, state, through, &chunks, stop);
  const bool is_gone = applied.status().Is(ErrorClass::STAGING_EXPIRED);
  if (!applied.ok() && !is_gone) return applied.status();
  if (applied.ok() && !chunks.ended) return std::optional<Applied>();
  compared_ = begun.generation;
  if (is_gone) return std::optional<Applied>();
  reread_ = true;
  TellReread(begun, chunks, *applied);
  if (applied->state != Applied::State::kCommitted) return std::optional<Applied>();
  return std::optional<Applied>(std::move(*applied));
}

/// Collect the generation's chunks and commit what differs, if they are all there and something
/// does.
Result<Applied> StagingApplier::CommitDifference(const staging::GenerationBegun& begun,
                                                 const staging::TableState& state,
                                                 record::SegmentNumber through,
                                                 StagedChunks* chunks,
                                                 const std::stop_token& stop) {
  FRESHET_TRY(*chunks, ScanAllChunks(context_.staging, begun, through));
  if (!chunks->ended) return Applied();
  FRESHET_TRY(auto shape, FindShape(context_.staging, begun, state));
  TableForm form;
  Draft draft;
  draft.operation = "MERGE";
  FRESHET_TRY(draft.actions, EvolveColumns({shape}, mark_, &form));
  FRESHET_CHECK_OK(paths_.Follow(*known_));
  DifferencePlanner planner(
      {.store = context_.table, .snapshot = known_, .form = &form, .paths = &paths_},
      {.staging = context_.staging->store(), .parts = chunks->parts, .shape = std::move(shape)},
      context_.scratch_folder, context_.difference_bytes_max, NowMs());
  auto difference = planner.Plan(stop);
  if (!difference.ok()) {
    planner.Discard();
    return difference.status();
  }
  if (difference->actions.empty() && draft.actions.empty()) return Applied();
  draft.positions = {
      begun.generation, std::max(positions_.snapshot, chunks->through),
      std::max(positions_.changes, record::SegmentNumber(begun.first_segment.value() - 1))};
  draft.applied.through = chunks->through;
  draft.keeps_row_ids = difference->rows_updated == 0;
  draft.applied.rows_inserted = difference->rows_inserted;
  draft.applied.rows_updated = difference->rows_updated;
  draft.applied.rows_deleted = difference->rows_deleted;
  std::move(difference->actions.begin(), difference->actions.end(),
            std::back_inserter(draft.actions));
  auto applied = Commit(std::move(draft));
  if (applied.status().Is(ErrorClass::DELTA_CONFLICT)) planner.Discard();
  if (applied.ok()) pace_.Committed();
  return applied;
}

void StagingApplier::TellReread(const staging::GenerationBegun& begun, const StagedChunks& chunks,
                                const Applied& applied) const {
  int64_t rows = 0;
  for (const auto& part : chunks.parts) rows += part.rows;
  context_.observer->OnEvent({"table_reread",
                              {{"table", flow_.source.ToString()},
                               {"flow", flow_.id.value()},
                               {"generation", begun.generation.value()},
                               {"rows", rows},
                               {"inserted", applied.rows_inserted},
                               {"updated", applied.rows_updated},
                               {"deleted", applied.rows_deleted},
                               {"read_at", begun.taken_at}}});
}

}  // namespace freshet::apply
