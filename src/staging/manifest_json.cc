// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/crc32c.h"
#include "base/json.h"
#include "staging/entry_json.h"
#include "staging/json_fields.h"
#include "staging/manifest.h"
#include "staging/shape_json.h"

namespace freshet::staging {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;

// ---------------------------------------------------------------- writing

/// Chunk numbers as [first, last] ranges: a finished generation is one range.
json RangesOf(const std::set<int64_t>& numbers) {
  json ranges = json::array();
  for (int64_t number : numbers) {
    if (!ranges.empty() && ranges.back()[1] == number - 1) {
      ranges.back()[1] = number;
    } else {
      ranges.push_back(json::array({number, number}));
    }
  }
  return ranges;
}

json StateToJson(const TableId& table, const TableState& state) {
  json out = {{"table", table.value()},
              {"schema", state.name.schema},
              {"name", state.name.table},
              {"dropped", state.dropped},
              {"last_segment", state.last_segment.value()},
              {"generations", json::array()}};
  if (state.former) out["former"] = state.former->value();
  if (state.shape) {
    out["shape"] = ShapeToJson(*state.shape);
    if (state.rows_since != state.shape->version) out["rows_since"] = state.rows_since;
  }
  if (state.partitions) out["partitions"] = *state.partitions;
  for (const auto& [version, unfilled] : state.unfilled) {
    out["unfilled"].push_back({{"shape_version", version},
                               {"since", unfilled.since.value()},
                               {"columns", NumbersOf(unfilled.columns)}});
  }
  if (!state.memo.empty()) out["memo"] = state.memo;
  if (state.imprint) out["imprint"] = ImprintToJson(*state.imprint);
  if (state.broken) out["broken"] = EntryToJson(*state.broken);
  for (const auto& [flow, generation] : state.generations) {
    json each = {{"begun", EntryToJson(generation.begun)},
                 {"chunks_done", RangesOf(generation.chunks_done)},
                 {"rows", generation.rows},
                 {"values_nulled", generation.values_nulled},
                 {"ended", generation.ended}};
    if (generation.successor) {
      each["successor"] = generation.successor->value();
      each["abandoned_in"] = generation.abandoned_in.value();
    }
    if (generation.untold) each["untold"] = true;
    if (generation.base) each["base"] = EntryToJson(*generation.base);
    out["generations"].push_back(std::move(each));
  }
  return out;
}

json CheckpointToJson(const Checkpoint& checkpoint) {
  json tables = json::array();
  for (const auto& [table, state] : checkpoint.tables) tables.push_back(StateToJson(table, state));
  return {{"through", checkpoint.through.value()},
          {"cursor", checkpoint.cursor.text},
          {"committed_at", checkpoint.committed_at},
          {"tables", std::move(tables)}};
}

// ---------------------------------------------------------------- reading; nlohmann's exceptions
// end in FromJson

Result<GenerationState> GenerationStateIn(const json& in) {
  GenerationState generation;
  FRESHET_TRY(generation.begun, GenerationBegunFromJson(in.at("begun")));
  for (const json& range : in.at("chunks_done")) {
    auto last = range.at(1).get<int64_t>();
    if (last >= generation.begun.chunks)
      return Error(ErrorClass::STAGING_CORRUPT,
                   "a checkpoint names a chunk beyond its generation's: {}", last);
    for (auto number = range.at(0).get<int64_t>(); number <= last; ++number)
      generation.chunks_done.insert(number);
  }
  generation.rows = Number(in, "rows");
  generation.values_nulled = in.value("values_nulled", int64_t{0});
  generation.ended = in.at("ended").get<bool>();
  if (in.contains("successor")) {
    generation.successor = Generation(Number(in, "successor"));
    generation.abandoned_in = SegmentNumber(Number(in, "abandoned_in"));
  }
  generation.untold = in.value("untold", false);
  if (in.contains("base")) {
    FRESHET_TRY(generation.base, GenerationBegunFromJson(in.at("base")));
  }
  return generation;
}

Result<TableState> StateIn(const json& in) {
  TableState state;
  state.name = NameIn(in);
  state.former = FormerIn(in);
  state.dropped = in.at("dropped").get<bool>();
  state.last_segment = SegmentNumber(Number(in, "last_segment"));
  if (in.contains("shape")) {
    FRESHET_TRY(record::TableShape shape, ShapeFromJson(in.at("shape")));
    state.rows_since = in.contains("rows_since") ? Number32(in, "rows_since") : shape.version;
    state.shape = std::move(shape);
  }
  if (in.contains("partitions")) state.partitions = PartitionsIn(in);
  if (in.contains("unfilled")) {
    for (const json& each : in.at("unfilled")) {
      state.unfilled[Number32(each, "shape_version")] = {SegmentNumber(Number(each, "since")),
                                                         ColumnsIn(each, "columns")};
    }
  }
  state.memo = in.value("memo", std::string());
  if (in.contains("imprint")) state.imprint = ImprintFromJson(in.at("imprint"));
  if (in.contains("broken")) state.broken = TableBrokenFromJson(in.at("broken"));
  for (const json& each : in.at("generations")) {
    FRESHET_TRY(auto generation, GenerationStateIn(each));
    state.generations.emplace(generation.begun.flow, std::move(generation));
  }
  return state;
}

Result<Checkpoint> CheckpointIn(const json& in) {
  Checkpoint checkpoint;
  checkpoint.through = SegmentNumber(Number(in, "through"));
  checkpoint.cursor.text = Text(in, "cursor");
  checkpoint.committed_at = Number(in, "committed_at");
  for (const json& each : in.at("tables")) {
    FRESHET_TRY(TableState state, StateIn(each));
    checkpoint.tables.emplace(TableIn(each), std::move(state));
  }
  return checkpoint;
}

Result<Manifest> ManifestIn(const json& in) {
  if (Number(in, "format") != kFormat) {
    return Error(ErrorClass::STAGING_CORRUPT,
                 "a manifest is of a format this version does not read: {}", Number(in, "format"));
  }
  Manifest manifest;
  manifest.number = SegmentNumber(Number(in, "number"));
  manifest.staging_id = Text(in, "staging_id");
  manifest.writer_id = Text(in, "writer_id");
  manifest.sealed_at = Number(in, "sealed_at");
  manifest.cursor.text = Text(in, "cursor");
  manifest.committed_at = Number(in, "committed_at");
  manifest.packs = in.at("packs").get<std::vector<std::string>>();
  for (const json& each : in.at("entries")) {
    FRESHET_TRY(Entry entry, EntryFromJson(each));
    manifest.entries.push_back(std::move(entry));
  }
  if (in.contains("checkpoint")) {
    FRESHET_TRY(Checkpoint checkpoint, CheckpointIn(in.at("checkpoint")));
    manifest.checkpoint = std::move(checkpoint);
  }
  return manifest;
}

/// The last field is the CRC-32C of the text before it. Source: docs/formats/staging.md,
/// "Manifest".
std::string WithChecksum(std::string text) {
  FRESHET_ASSERT(text.ends_with('}'));
  text.pop_back();
  uint32_t crc = Crc32c(text);
  return text + fmt::format(R"(,"crc32c":"{:08x}"}})", crc);
}

bool ChecksumHolds(std::string_view text) {
  constexpr size_t kFieldBytes = std::string_view(R"(,"crc32c":"01234567"})").size();
  if (text.size() < kFieldBytes) return false;
  std::string_view before = text.substr(0, text.size() - kFieldBytes);
  return text.substr(before.size()) == fmt::format(R"(,"crc32c":"{:08x}"}})", Crc32c(before));
}

/// What the fields' types cannot say.
Status CheckManifest(const Manifest& manifest) {
  for (const Entry& entry : manifest.entries) {
    const auto* run = std::get_if<ChangeRun>(&entry);
    if (run == nullptr) continue;
    bool within = run->pack >= 0 && static_cast<size_t>(run->pack) < manifest.packs.size() &&
                  run->offset >= 0 && run->length >= 0;
    if (!within)
      return Error(ErrorClass::STAGING_CORRUPT, "a run of segment {} lies in no pack",
                   manifest.number.value());
  }
  return Status::Ok();
}

}  // namespace

std::string ToJson(const Manifest& manifest) {
  json out = {{"format", kFormat},
              {"number", manifest.number.value()},
              {"staging_id", manifest.staging_id},
              {"writer_id", manifest.writer_id},
              {"sealed_at", manifest.sealed_at},
              {"cursor", manifest.cursor.text},
              {"committed_at", manifest.committed_at},
              {"packs", manifest.packs},
              {"entries", json::array()}};
  for (const Entry& entry : manifest.entries) out["entries"].push_back(EntryToJson(entry));
  if (manifest.checkpoint) out["checkpoint"] = CheckpointToJson(*manifest.checkpoint);
  // A message from a source may hold bytes that are no UTF-8; names and cursors never do.
  return WithChecksum(JsonText(out));
}

Result<Manifest> FromJson(std::string_view text) {
  if (!ChecksumHolds(text))
    return Error(ErrorClass::STAGING_CORRUPT, "a manifest is not what was written");
  try {
    FRESHET_TRY(Manifest manifest, ManifestIn(ParseJsonOrThrow<json>(text)));
    FRESHET_CHECK_OK(CheckManifest(manifest));
    return manifest;
  } catch (const json::exception& error) {
    return Error(ErrorClass::STAGING_CORRUPT, "a manifest is not readable: {}", error.what());
  }
}

}  // namespace freshet::staging
