// SPDX-License-Identifier: Apache-2.0
// Which of the staged changes are the table's next.
#include "apply/staging_applier.h"

namespace freshet::apply {

using record::SegmentNumber;

ChangesWanted StagingApplier::WantedChanges(SegmentNumber through) const {
  return {.flow = flow_.id,
          .table = flow_.table,
          .generation = positions_.generation,
          .position = mark_.position,
          .shape_version = mark_.shape_version,
          .after = std::max(positions_.changes, scanned_),
          .through = through,
          .keeps_past = !mark_.history.plain()};
}

Result<StagedChanges> StagingApplier::AllChanges(SegmentNumber through) const {
  ChangesWanted wanted = WantedChanges(through);
  wanted.keeps_past = wanted.all = true;
  return ScanChanges(context_.staging, wanted);
}

/// Take the next changes; nothing: none up to `through` concerns the table.
Result<std::optional<Applied>> StagingApplier::Changes(SegmentNumber through,
                                                       const std::stop_token& stop) {
  FRESHET_TRY(auto changes, ScanChanges(context_.staging, WantedChanges(through)));
  ended_ = changes.ended;
  if (!changes.concerned && changes.shapes.empty()) {
    scanned_ = changes.through;
    return std::optional<Applied>();
  }
  FRESHET_TRY(auto applied, CommitChanges(changes, stop));
  return std::optional<Applied>(std::move(applied));
}

}  // namespace freshet::apply
