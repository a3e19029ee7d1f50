// SPDX-License-Identifier: Apache-2.0
#include "pipeline/refresh.h"

#include <algorithm>
#include <optional>

#include "delta/table.h"
#include "staging/reader.h"
#include "staging/wishes.h"

namespace freshet::pipeline {
namespace {

using record::Generation;

constexpr std::string_view kStaging = "_freshet/staging";

/// The generation that readers of the table see; nothing: it cannot be told.
Result<std::optional<Generation>> GenerationOf(const std::shared_ptr<store::FileStore>& root,
                                               const FlowBook::Entry& entry) {
  auto snapshot = delta::Table(store::Below(root, entry.folder)).Latest(nullptr);
  if (snapshot.status().Is(ErrorClass::NOT_FOUND)) return std::optional<Generation>();
  if (!snapshot.ok()) return snapshot.status();
  auto txn = (*snapshot)->txns.find(entry.flow.value() + "/generation");
  if (txn == (*snapshot)->txns.end()) return std::optional<Generation>();
  return std::optional(Generation(txn->second.version));
}

/// The generation that is on its way; nothing: the newest one is in the table.
Result<std::optional<Generation>> UnderWay(const std::shared_ptr<store::FileStore>& root,
                                           const FlowBook::Entry& entry,
                                           const staging::GenerationState& state,
                                           const std::vector<staging::Wish>& wishes) {
  for (const auto& wish : wishes) {
    if (wish.flow == entry.flow && wish.generation > state.begun.generation)
      return std::optional(wish.generation);
  }
  if (state.successor) return state.successor;
  if (!state.ended) return std::optional(state.begun.generation);
  FRESHET_TRY(auto in_table, GenerationOf(root, entry));
  if (in_table && *in_table < state.begun.generation) return std::optional(state.begun.generation);
  return std::optional<Generation>();
}

bool AnyMatches(const std::vector<TablePattern>& patterns, const record::TableName& name) {
  return std::ranges::any_of(patterns,
                             [&](const TablePattern& pattern) { return pattern.Matches(name); });
}

}  // namespace

Result<std::vector<RefreshAsked>> AskForRefresh(const std::shared_ptr<store::FileStore>& root,
                                                const FlowBook& book,
                                                const std::vector<TablePattern>& patterns) {
  std::vector<RefreshAsked> asked;
  if (patterns.empty()) return asked;
  auto staging = store::Below(root, std::string(kStaging));
  auto reader = staging::StagingReader::Open(staging);
  if (reader.status().Is(ErrorClass::NOT_FOUND)) return asked;
  if (!reader.ok()) return reader.status();
  FRESHET_TRY(auto checkpoint, (*reader)->Latest());
  FRESHET_TRY(auto wishes, staging::ListWishes(*staging));
  for (const auto& [table, state] : checkpoint->tables) {
    if (state.dropped || state.broken || !AnyMatches(patterns, state.name)) continue;
    for (const auto& [flow, generation] : state.generations) {
      auto entry = book.entries().find(flow);
      if (entry == book.entries().end()) continue;
      FRESHET_TRY(auto under_way, UnderWay(root, entry->second, generation, wishes));
      Generation next = under_way.value_or(Generation(generation.begun.generation.value() + 1));
      if (!under_way) {
        FRESHET_CHECK_OK(
            staging::PutWish(*staging, {.flow = flow, .table = table, .generation = next}));
      }
      asked.push_back({state.name, flow, next, !under_way});
    }
  }
  return asked;
}

std::vector<std::string> UnmatchedPatterns(const std::vector<TablePattern>& patterns,
                                           const std::vector<record::TableName>& names) {
  std::vector<std::string> unmatched;
  for (const auto& pattern : patterns) {
    if (std::ranges::none_of(names, [&](const auto& name) { return pattern.Matches(name); }))
      unmatched.push_back(pattern.text());
  }
  return unmatched;
}

}  // namespace freshet::pipeline
