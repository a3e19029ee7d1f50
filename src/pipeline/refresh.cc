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

std::optional<Generation> WishedAbove(const record::FlowId& flow, Generation generation,
                                      const std::vector<staging::Wish>& wishes) {
  for (const auto& wish : wishes) {
    if (wish.flow == flow && wish.generation > generation) return wish.generation;
  }
  return std::nullopt;
}

/// The generation that is on its way; nothing: the newest one is in the table.
Result<std::optional<Generation>> UnderWay(const std::shared_ptr<store::FileStore>& root,
                                           const FlowBook::Entry& entry,
                                           const staging::GenerationState& state,
                                           const std::vector<staging::Wish>& wishes) {
  if (auto wished = WishedAbove(entry.flow, state.whole().generation, wishes)) return wished;
  // One of some columns alone is no refresh.
  const bool fills = state.base && !state.untold;
  if (state.successor && !fills) return state.successor;
  if (!state.ended && !fills) return std::optional(state.begun.generation);
  const Generation whole = state.whole().generation;
  FRESHET_TRY(auto in_table, GenerationOf(root, entry));
  if (in_table && *in_table < whole) return std::optional(whole);
  return std::optional<Generation>();
}

/// The generation to ask for, or that is on its way. REQUIRES: one was begun, or the table broke.
Result<RefreshAsked> NextOf(const std::shared_ptr<store::FileStore>& root,
                            const FlowBook::Entry& entry, const staging::TableState& state,
                            const std::vector<staging::Wish>& wishes) {
  auto generation = state.generations.find(entry.flow);
  const bool begun = generation != state.generations.end();
  const Generation newest = begun ? generation->second.begun.generation : Generation(0);
  std::optional<Generation> under_way;
  // Nothing of a table that broke is on its way but what somebody wished since.
  if (state.broken) {
    const Generation whole = begun ? generation->second.whole().generation : Generation(0);
    under_way = WishedAbove(entry.flow, whole, wishes);
  } else {
    FRESHET_TRY(under_way, UnderWay(root, entry, generation->second, wishes));
  }
  return RefreshAsked{state.name, entry.flow, under_way.value_or(Generation(newest.value() + 1)),
                      !under_way.has_value()};
}

}  // namespace

Result<std::vector<RefreshAsked>> AskForRefresh(const std::shared_ptr<store::FileStore>& root,
                                                const FlowBook& book,
                                                const record::PipelineId& pipeline,
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
    const auto flow = FlowIdOf(pipeline, table);
    auto entry = book.entries().find(flow);
    bool theirs = entry == book.entries().end() || book.IsSucceeded(flow);
    if (theirs || state.dropped || !AnyMatches(patterns, state.name)) continue;
    // Its first one is still to come.
    if (!state.generations.contains(flow) && !state.broken) continue;
    FRESHET_TRY(auto next, NextOf(root, entry->second, state, wishes));
    if (next.anew) {
      FRESHET_CHECK_OK(staging::PutWish(
          *staging, {.flow = flow, .table = table, .generation = next.generation}));
    }
    asked.push_back(std::move(next));
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
