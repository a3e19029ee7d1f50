// SPDX-License-Identifier: Apache-2.0
// What is asked of a table beside its rows.
#include <fmt/ranges.h>

#include <utility>

#include "apply/column_change.h"
#include "apply/staging_applier.h"
#include "delta/features.h"

namespace freshet::apply {

Result<std::optional<Applied>> StagingApplier::TakeProperties() {
  std::vector<std::string> set;
  for (const auto& [name, value] : context_.properties) {
    const std::string was = delta::PropertyOf(known_->metadata, name);
    if (was == value) continue;
    set.push_back(was.empty() ? fmt::format("{} = {}", name, value)
                              : fmt::format("{} = {} (it was {})", name, value, was));
  }
  if (set.empty()) return std::optional<Applied>();
  return Describe(
      "SET TBLPROPERTIES",
      Redescribe(*known_, known_->columns, mark_, NowMs(), {.properties = context_.properties}),
      "properties_set", "properties", set);
}

Result<std::optional<Applied>> StagingApplier::DropColumns() {
  if (!context_.drop_inactive_columns || mark_.inactive.empty()) return std::optional<Applied>();
  std::vector<delta::Column> columns = known_->columns;
  TableMark mark = mark_;
  const auto [dropped, named] = DropInactive(known_->metadata, &mark, &columns);
  if (!named.empty() && !std::exchange(told_named_, true)) {
    context_.observer->OnEvent(
        {"warning",
         {{"table", flow_.source.ToString()},
          {"reason", fmt::format("{}: columns that the source has no more stay, for {} names them: "
                                 "{}",
                                 flow_.source.ToString(), delta::kStatisticsColumns,
                                 fmt::join(named, ", "))}}});
  }
  if (dropped.empty()) return std::optional<Applied>();
  return Describe("DROP COLUMNS", Redescribe(*known_, std::move(columns), mark, NowMs()),
                  "columns_dropped", "columns", dropped);
}

Result<std::optional<Applied>> StagingApplier::Describe(const std::string& operation,
                                                        std::vector<delta::Action> actions,
                                                        const std::string& event,
                                                        const std::string& field,
                                                        const std::vector<std::string>& words) {
  Draft draft;
  draft.operation = operation;
  draft.actions = std::move(actions);
  draft.positions = positions_;
  draft.applied.through = positions_.changes;
  FRESHET_TRY(auto applied, Commit(std::move(draft)));
  context_.observer->OnEvent({event,
                              {{"table", flow_.source.ToString()},
                               {"flow", flow_.id.value()},
                               {"version", applied.version},
                               {field, fmt::format("{}", fmt::join(words, ", "))}}});
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
