// SPDX-License-Identifier: Apache-2.0
#include "staging/manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "staging/layout.h"

namespace freshet::staging {
namespace {

/// Applies one entry to the state of its table.
struct EntryFold {
  SegmentNumber number;
  Checkpoint* checkpoint;

  TableState& Touch(const TableId& table) {
    TableState& state = checkpoint->tables[table];
    state.last_segment = number;
    return state;
  }
  void operator()(const TableListed& entry) {
    TableState& state = Touch(entry.table);
    state.name = entry.name;
    if (state.shape) state.shape->name = entry.name;
    if (entry.former) state.former = entry.former;
  }
  void operator()(const ShapeNoted& entry) {
    TableState& state = Touch(entry.shape.id);
    if (!entry.words_only) state.rows_since = entry.shape.version;
    if (!entry.unfilled.empty()) state.unfilled[entry.shape.version] = {number, entry.unfilled};
    state.shape = entry.shape;
    state.broken.reset();
  }
  void operator()(const PartitionsNoted& entry) {
    Touch(entry.table).partitions = entry.partitions;
  }
  // These two touch nothing that a reader of the table sees.
  void operator()(const MemoNoted& entry) { checkpoint->tables[entry.table].memo = entry.memo; }
  void operator()(const ImprintNoted& entry) {
    checkpoint->tables[entry.table].imprint = entry.imprint;
  }
  void operator()(const ChangeRun& entry) { Touch(entry.table); }
  void operator()(const TableEnded& entry) {
    TableState& state = Touch(entry.table);
    if (entry.kind == record::TableEnd::Kind::kDropped) state.dropped = true;
  }
  void operator()(const TableBroken& entry) { Touch(entry.table).broken = entry; }
  void operator()(const GenerationBegun& entry) {
    TableState& state = Touch(entry.table);
    state.broken.reset();
    GenerationState next{
        .begun = entry, .chunks_done = {}, .ended = false, .successor = {}, .abandoned_in = {}};
    auto former = state.generations.find(entry.flow);
    if (entry.columns && former != state.generations.end()) next.base = former->second.whole();
    if (!entry.columns) ForgetUnfilled(entry, &state);
    state.generations[entry.flow] = std::move(next);
  }
  void operator()(const RestBegun& entry) {
    if (GenerationState* generation = Find(entry.table, entry.flow, entry.generation)) {
      generation->begun.view = entry.view;
      generation->begun.plan = entry.plan;
      generation->begun.chunks = std::ssize(entry.plan);
      if (!generation->begun.rest_from) generation->begun.rest_from = number;
    }
  }
  void operator()(const SnapshotPart& entry) { Touch(entry.table); }
  void operator()(const ChunkDone& entry) {
    if (GenerationState* generation = Find(entry.table, entry.flow, entry.generation)) {
      generation->chunks_done.insert(entry.chunk);
      generation->rows += entry.rows;
      generation->values_nulled += entry.values_nulled;
    }
  }
  void operator()(const GenerationEnded& entry) {
    if (GenerationState* generation = Find(entry.table, entry.flow, entry.generation)) {
      generation->ended = true;
      ForgetView(generation);
    }
  }
  void operator()(const GenerationAbandoned& entry) {
    if (GenerationState* generation = Find(entry.table, entry.flow, entry.generation)) {
      if (!generation->successor) generation->abandoned_in = number;
      generation->successor = entry.successor;
      generation->untold = generation->untold || entry.untold;
      ForgetView(generation);
    }
  }

  /// A whole generation begins: whoever has the one before it, or an earlier one of another flow,
  /// needs to know of the columns that came since that alone.
  static void ForgetUnfilled(const GenerationBegun& next, TableState* state) {
    int32_t filled = next.shape_version;
    for (const auto& [flow, generation] : state->generations) {
      if (!generation.ended && !generation.base) return;  // the one that it has is not known here
      filled = std::min(filled, generation.whole().shape_version);
    }
    state->unfilled.erase(state->unfilled.begin(), state->unfilled.upper_bound(filled));
  }
  /// Nobody reads it on: checkpoints need not carry what only that would take.
  static void ForgetView(GenerationState* generation) {
    generation->begun.view = {};
    generation->begun.plan = {};
  }

  GenerationState* Find(const TableId& table, const FlowId& flow, Generation generation) {
    TableState& state = Touch(table);
    auto found = state.generations.find(flow);
    bool newest = found != state.generations.end() && found->second.begun.generation == generation;
    return newest ? &found->second : nullptr;
  }
};

const TableId& TableOf(const ShapeNoted& entry) { return entry.shape.id; }
template <typename T>
const TableId& TableOf(const T& entry) {
  return entry.table;
}

}  // namespace

std::vector<record::ColumnId> TableState::Lacking(const GenerationState& generation) const {
  std::set<record::ColumnId> columns;
  for (const auto& [version, each] : unfilled) {
    if (version > generation.whole().shape_version)
      columns.insert(each.columns.begin(), each.columns.end());
  }
  return {columns.begin(), columns.end()};
}

std::optional<SegmentNumber> TableState::LackingSince(const GenerationState& generation,
                                                      int32_t shape_version) const {
  auto first = unfilled.upper_bound(std::max(shape_version, generation.whole().shape_version));
  return first == unfilled.end() ? std::nullopt : std::optional(first->second.since);
}

bool TableState::WantsColumns(const GenerationState& generation) const {
  return generation.fillable() &&
         unfilled.upper_bound(generation.begun.shape_version) != unfilled.end();
}

void AdvanceBy(const Entry& entry, SegmentNumber number, Checkpoint* checkpoint) {
  std::visit(EntryFold{number, checkpoint}, entry);
}

void Advance(const Manifest& manifest, Checkpoint* checkpoint) {
  FRESHET_ASSERT(manifest.number.value() == checkpoint->through.value() + 1, "segment {} after {}",
                 manifest.number.value(), checkpoint->through.value());
  for (const Entry& entry : manifest.entries) AdvanceBy(entry, manifest.number, checkpoint);
  checkpoint->through = manifest.number;
  checkpoint->cursor = manifest.cursor;
  checkpoint->committed_at = std::max(checkpoint->committed_at, manifest.committed_at);
}

const TableId& TableOf(const Entry& entry) {
  return std::visit([](const auto& each) -> const TableId& { return TableOf(each); }, entry);
}

std::set<TableId> TablesOf(const Manifest& manifest) {
  std::set<TableId> tables;
  for (const Entry& entry : manifest.entries) {
    if (std::holds_alternative<MemoNoted>(entry) || std::holds_alternative<ImprintNoted>(entry)) {
      continue;
    }
    tables.insert(TableOf(entry));
  }
  return tables;
}

std::string ManifestPath(SegmentNumber number) {
  return fmt::format("{}/{:012}.json", FolderPath(kSegmentsFolder, FolderOf(number)),
                     number.value());
}

}  // namespace freshet::staging
