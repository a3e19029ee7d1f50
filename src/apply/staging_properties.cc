// SPDX-License-Identifier: Apache-2.0
// What is asked of a table beside its rows.
#include <fmt/ranges.h>

#include <algorithm>

#include "apply/staging_applier.h"
#include "delta/features.h"

namespace freshet::apply {

Result<std::optional<Applied>> StagingApplier::TakeProperties() {
  const bool has_all = std::ranges::all_of(context_.properties, [&](const auto& wanted) {
    return delta::PropertyOf(known_->metadata, wanted.first) == wanted.second;
  });
  if (has_all) return std::optional<Applied>();
  Draft draft;
  draft.operation = "SET TBLPROPERTIES";
  draft.actions =
      Redescribe(*known_, known_->columns, mark_, NowMs(), {.properties = context_.properties});
  draft.positions = positions_;
  draft.applied.through = positions_.changes;
  FRESHET_TRY(auto applied, Commit(std::move(draft)));
  return std::optional<Applied>(std::move(applied));
}

void StagingApplier::TellUpgraded(const delta::Protocol& before) const {
  const auto gained = delta::FeaturesGained(before, known_->protocol);
  if (gained.empty()) return;
  context_.observer->OnEvent({"table_upgraded",
                              {{"table", flow_.source.ToString()},
                               {"flow", flow_.id.value()},
                               {"version", known_->version},
                               {"features", fmt::format("{}", fmt::join(gained, ", "))},
                               {"loses", delta::LosersOf(gained)}}});
}

}  // namespace freshet::apply
