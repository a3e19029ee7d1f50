// SPDX-License-Identifier: Apache-2.0
// Columns that no change fills: changes wait for a reading of them.
#include <algorithm>

#include "apply/column_fill.h"
#include "apply/staging_applier.h"

namespace freshet::apply {

using record::SegmentNumber;

/// Whether columns were read that the table does not have yet, and no more are to be.
bool StagingApplier::HasColumnsRead(const staging::TableState& state,
                                    const staging::GenerationState& newest) const {
  return newest.begun.columns && newest.begun.generation > mark_.filled && newest.ended &&
         !newest.successor && !state.WantsColumns(newest);
}

/// The segment after which changes wait for columns that are read, or are to be; nothing: they do
/// not. What the source no longer has is never read; what was read of it is taken.
std::optional<SegmentNumber> StagingApplier::HeldAfter(const staging::TableState& state) const {
  auto found = state.generations.find(flow_.id);
  if (found == state.generations.end()) return std::nullopt;
  const auto& newest = found->second;
  if ((state.dropped || state.broken) && !HasColumnsRead(state, newest)) return std::nullopt;
  // Rows that were appended are as they were.
  if (mark_.history.scd_type == ScdType::kAppendOnly) return std::nullopt;
  const bool whole_comes = newest.successor && !newest.fillable();
  if (whole_comes || newest.whole().generation != positions_.generation)
    return HeldForLater(state, newest);
  const bool comes =
      newest.begun.columns && newest.fillable() && newest.begun.generation > mark_.filled;
  if (!comes && !state.WantsColumns(newest)) return std::nullopt;
  // No reader is to see the columns before they are filled.
  if (auto since = state.LackingSince(newest, mark_.shape_version))
    return SegmentNumber(since->value() - 1);
  return comes ? SegmentNumber(newest.begun.first_segment.value() - 1) : positions_.changes;
}

/// The same while a later whole generation brings the columns: until it takes the table's place
/// rows would lack what they hold. A table that keeps its rows' past has every change at its own
/// time, before what then differs: it goes on as soon as all of that generation was read.
std::optional<SegmentNumber> StagingApplier::HeldForLater(
    const staging::TableState& state, const staging::GenerationState& newest) const {
  const auto& later = newest.whole();
  if (later.difference || IsShadow()) return std::nullopt;
  const bool is_read = later.generation != positions_.generation && (newest.base || newest.ended);
  int32_t shown = mark_.shape_version;
  if (keeps_past() && is_read) shown = std::max(shown, later.shape_version);
  auto first = state.unfilled.upper_bound(shown);
  if (first == state.unfilled.end()) return std::nullopt;
  return SegmentNumber(first->second.since.value() - 1);
}

/// Take columns that were read alone, with all changes up to where that is known to be complete;
/// nothing: it is not.
Result<std::optional<Applied>> StagingApplier::TakeColumnsRead(const staging::TableState& state,
                                                               SegmentNumber through,
                                                               const std::stop_token& stop) {
  const auto& newest = state.generations.at(flow_.id);
  const auto& begun = newest.begun;
  // What is read for a later whole generation lacks what that brought.
  if (newest.whole().generation != positions_.generation || !HasColumnsRead(state, newest))
    return std::optional<Applied>();
  FRESHET_TRY(auto chunks, ScanAllChunks(context_.staging, begun, through));
  if (!chunks.ended) return std::optional<Applied>();
  FRESHET_TRY(const auto changes, AllChanges(chunks.through));
  if (changes.through < chunks.through) return std::optional<Applied>();
  TableForm form;
  TableMark mark = mark_;
  mark.filled = std::max(mark.filled, begun.generation);
  FRESHET_TRY(auto draft, DraftChanges(changes, std::move(mark), chunks.through, &form));
  ColumnFill::Reading reading{.staging = context_.staging->store(),
                              .parts = std::move(chunks.parts),
                              .ids = *begun.columns,
                              .shape = {},
                              .position = begun.position,
                              .taken_at = begun.taken_at};
  FRESHET_TRY(reading.shape, FindShape(context_.staging, begun, state));
  ColumnFill fill(context_.staging, form.rows, changes, mark_.position, context_.fold_bytes_max,
                  std::move(reading));
  FRESHET_TRY(auto applied, CommitInput(std::move(draft), form, /*truncated=*/false, &fill, stop));
  context_.observer->OnEvent({"columns_filled",
                              {{"table", flow_.source.ToString()},
                               {"flow", flow_.id.value()},
                               {"version", applied.version},
                               {"rows", newest.rows}}});
  return std::optional<Applied>(std::move(applied));
}

}  // namespace freshet::apply
