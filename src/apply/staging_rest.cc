// SPDX-License-Identifier: Apache-2.0
// Snapshots whose rest was read from a later one.
#include "apply/column_fill.h"
#include "apply/staging_applier.h"

namespace freshet::apply {

using record::SegmentNumber;
using staging::GenerationBegun;

/// Rows that are of two moments make what the table is, but not what it was.
Status StagingApplier::CheckRest() const {
  if (context_.history.plain()) return Status::Ok();
  return Error(ErrorClass::SNAPSHOT_STALE,
               "the rest of the table was read at a later moment, and its history needs all of it "
               "to be of one");
}

/// Take the rest, with all changes since the generation began, in one commit: only then are rows
/// that changed in between what they are. The rest goes first, as if it were rows of the beginning:
/// the last change of each row that changed decides, whichever moment it was read at.
/// Nothing: not all of that is staged. Errors: SNAPSHOT_STALE (a row that changed was in no chunk,
/// and its changes do not send all of it).
Result<std::optional<Applied>> StagingApplier::TakeRest(const GenerationBegun& begun,
                                                        const staging::TableState& state,
                                                        SegmentNumber through,
                                                        const std::stop_token& stop) {
  if (rest_failed_ && rest_failed_->generation == begun.generation) return rest_failed_->why;
  GenerationBegun rest = begun;
  rest.first_segment = *begun.rest_from;
  FRESHET_TRY(auto chunks, ScanAllChunks(context_.staging, rest, through));
  if (!chunks.ended) return std::optional<Applied>();
  FRESHET_TRY(const auto changes, AllChanges(chunks.through));
  if (changes.through < chunks.through) return std::optional<Applied>();
  TableMark mark = mark_;
  mark.complete = true;
  TableForm form;
  FRESHET_TRY(auto draft, DraftChanges(changes, std::move(mark), chunks.through, &form));
  form.rows.inserts_whole = true;
  draft.positions.snapshot = chunks.through;
  ColumnFill::Reading reading{.staging = context_.staging->store(),
                              .parts = std::move(chunks.parts),
                              .ids = {},
                              .shape = {},
                              .position = begun.position,
                              .taken_at = begun.taken_at};
  FRESHET_TRY(reading.shape, FindShape(context_.staging, begun, state));
  reading.ids = reading.shape.ids;
  ColumnFill input(context_.staging, form.rows, changes, mark_.position, context_.fold_bytes_max,
                   std::move(reading));
  auto applied = CommitInput(std::move(draft), form, /*truncated=*/false, &input, stop);
  if (applied.status().Is(ErrorClass::VALUE_NOT_SENT)) {
    // Until there is another one, more changes make it no better.
    rest_failed_ = {begun.generation,
                    Error(ErrorClass::SNAPSHOT_STALE,
                          "a row was in no chunk of the snapshot nor of its rest: {}",
                          applied.status().message())};
    return rest_failed_->why;
  }
  FRESHET_CHECK_OK(applied);
  return std::optional<Applied>(std::move(*applied));
}

}  // namespace freshet::apply
