// SPDX-License-Identifier: Apache-2.0
#include <arrow/type.h>
#include <fmt/format.h>

#include <charconv>

#include "base/crc32c.h"
#include "base/json.h"
#include "staging/manifest.h"
#include "staging/shape_json.h"

namespace freshet::staging {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;

// ---------------------------------------------------------------- writing

template <typename T>
json OfGeneration(std::string_view kind, const T& entry) {
  return {{"kind", kind},
          {"flow", entry.flow.value()},
          {"table", entry.table.value()},
          {"generation", entry.generation.value()}};
}

json NumbersOf(const std::vector<record::ColumnId>& columns) {
  json numbers = json::array();
  for (const auto& column : columns) numbers.push_back(column.value());
  return numbers;
}

struct EntryWriter {
  json operator()(const TableListed& entry) {
    json out = {{"kind", "table_listed"},
                {"table", entry.table.value()},
                {"schema", entry.name.schema},
                {"name", entry.name.table}};
    if (entry.former) out["former"] = entry.former->value();
    return out;
  }
  json operator()(const ShapeNoted& entry) {
    json out = {
        {"kind", "shape_noted"}, {"shape", ShapeToJson(entry.shape)}, {"at", entry.at.ToHex()}};
    if (entry.words_only) out["words_only"] = true;
    if (!entry.unfilled.empty()) out["unfilled"] = NumbersOf(entry.unfilled);
    return out;
  }
  json operator()(const PartitionsNoted& entry) {
    return {{"kind", "partitions_noted"},
            {"table", entry.table.value()},
            {"partitions", entry.partitions}};
  }
  json operator()(const MemoNoted& entry) {
    return {{"kind", "memo_noted"}, {"table", entry.table.value()}, {"memo", entry.memo}};
  }
  json operator()(const ImprintNoted& entry) {
    return {{"kind", "imprint_noted"},
            {"table", entry.table.value()},
            {"imprint", ImprintToJson(entry.imprint)}};
  }
  json operator()(const ChangeRun& entry) {
    return {{"kind", "change_run"},
            {"table", entry.table.value()},
            {"shape_version", entry.shape_version},
            {"pack", entry.pack},
            {"offset", entry.offset},
            {"length", entry.length},
            {"crc32c", entry.crc32c},
            {"rows", entry.rows},
            {"inserts", entry.inserts},
            {"updates", entry.updates},
            {"deletes", entry.deletes},
            {"first", entry.first.ToHex()},
            {"last", entry.last.ToHex()},
            {"committed_first", entry.committed_first},
            {"committed_last", entry.committed_last},
            {"has_missing", entry.has_missing}};
  }
  json operator()(const TableEnded& entry) {
    bool dropped = entry.kind == record::TableEnd::Kind::kDropped;
    return {{"kind", dropped ? "table_dropped" : "table_truncated"},
            {"table", entry.table.value()},
            {"at", entry.at.ToHex()},
            {"committed_at", entry.committed_at}};
  }
  json operator()(const TableBroken& entry) {
    return {{"kind", "table_broken"},
            {"table", entry.table.value()},
            {"error_class", entry.error_class},
            {"message", entry.message},
            {"remedy", entry.remedy}};
  }
  json operator()(const GenerationBegun& entry) {
    json out = OfGeneration("generation_begun", entry);
    out["position"] = entry.position.ToHex();
    out["taken_at"] = entry.taken_at;
    out["shape_version"] = entry.shape_version;
    out["first_segment"] = entry.first_segment.value();
    out["chunks"] = entry.chunks;
    out["rows_estimated"] = entry.rows_estimated;
    if (entry.difference) out["difference"] = true;
    if (entry.columns) out["columns"] = NumbersOf(*entry.columns);
    if (!entry.view.empty()) {
      out["view"] = entry.view;
      out["plan"] = entry.plan;
    }
    return out;
  }
  json operator()(const SnapshotPart& entry) {
    json out = OfGeneration("snapshot_part", entry);
    out["chunk"] = entry.chunk;
    out["path"] = entry.path;
    out["rows"] = entry.rows;
    out["bytes"] = entry.bytes;
    return out;
  }
  json operator()(const ChunkDone& entry) {
    json out = OfGeneration("chunk_done", entry);
    out["chunk"] = entry.chunk;
    out["rows"] = entry.rows;
    out["values_nulled"] = entry.values_nulled;
    return out;
  }
  json operator()(const GenerationEnded& entry) {
    json out = OfGeneration("generation_ended", entry);
    out["rows"] = entry.rows;
    out["values_nulled"] = entry.values_nulled;
    return out;
  }
  json operator()(const GenerationAbandoned& entry) {
    json out = OfGeneration("generation_abandoned", entry);
    out["successor"] = entry.successor.value();
    out["why"] = entry.why;
    if (entry.untold) out["untold"] = true;
    return out;
  }
};

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
  if (state.broken) out["broken"] = EntryWriter{}(*state.broken);
  for (const auto& [flow, generation] : state.generations) {
    json each = {{"begun", EntryWriter{}(generation.begun)},
                 {"chunks_done", RangesOf(generation.chunks_done)},
                 {"rows", generation.rows},
                 {"values_nulled", generation.values_nulled},
                 {"ended", generation.ended}};
    if (generation.successor) {
      each["successor"] = generation.successor->value();
      each["abandoned_in"] = generation.abandoned_in.value();
    }
    if (generation.untold) each["untold"] = true;
    if (generation.base) each["base"] = EntryWriter{}(*generation.base);
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

std::string Text(const json& in, const char* name) { return in.at(name).get<std::string>(); }
int64_t Number(const json& in, const char* name) { return in.at(name).get<int64_t>(); }
int32_t Number32(const json& in, const char* name) { return in.at(name).get<int32_t>(); }
TableId TableIn(const json& in) { return TableId(Text(in, "table")); }
record::TableName NameIn(const json& in) {
  return {.schema = Text(in, "schema"), .table = Text(in, "name")};
}

std::optional<TableId> FormerIn(const json& in) {
  if (!in.contains("former")) return std::nullopt;
  return TableId(Text(in, "former"));
}

std::vector<record::ColumnId> ColumnsIn(const json& in, const char* name) {
  std::vector<record::ColumnId> columns;
  for (const json& each : in.at(name)) columns.emplace_back(each.get<int32_t>());
  return columns;
}

std::set<std::string> PartitionsIn(const json& in) {
  return in.at("partitions").get<std::set<std::string>>();
}

template <typename T>
T GenerationIn(const json& in) {
  T entry;
  entry.flow = FlowId(Text(in, "flow"));
  entry.table = TableIn(in);
  entry.generation = Generation(Number(in, "generation"));
  return entry;
}

Result<Entry> ChangeRunIn(const json& in) {
  ChangeRun entry;
  entry.table = TableIn(in);
  entry.shape_version = Number32(in, "shape_version");
  entry.pack = Number32(in, "pack");
  entry.offset = Number(in, "offset");
  entry.length = Number(in, "length");
  entry.crc32c = in.at("crc32c").get<uint32_t>();
  entry.rows = Number(in, "rows");
  entry.inserts = Number(in, "inserts");
  entry.updates = Number(in, "updates");
  entry.deletes = Number(in, "deletes");
  FRESHET_TRY(entry.first, Sequence::FromHex(Text(in, "first")));
  FRESHET_TRY(entry.last, Sequence::FromHex(Text(in, "last")));
  entry.committed_first = Number(in, "committed_first");
  entry.committed_last = Number(in, "committed_last");
  entry.has_missing = in.at("has_missing").get<bool>();
  return Entry(std::move(entry));
}

Result<GenerationBegun> GenerationBegunIn(const json& in) {
  auto entry = GenerationIn<GenerationBegun>(in);
  FRESHET_TRY(entry.position, Sequence::FromHex(Text(in, "position")));
  entry.taken_at = Number(in, "taken_at");
  entry.shape_version = Number32(in, "shape_version");
  entry.first_segment = SegmentNumber(Number(in, "first_segment"));
  entry.chunks = Number(in, "chunks");
  entry.rows_estimated = Number(in, "rows_estimated");
  entry.difference = in.value("difference", false);
  if (in.contains("columns")) entry.columns = ColumnsIn(in, "columns");
  if (in.contains("view")) {
    entry.view = Text(in, "view");
    entry.plan = in.at("plan").get<std::vector<std::string>>();
  }
  return entry;
}

Result<Entry> TableEndedIn(const json& in, record::TableEnd::Kind kind) {
  TableEnded entry{
      .kind = kind, .table = TableIn(in), .at = {}, .committed_at = Number(in, "committed_at")};
  FRESHET_TRY(entry.at, Sequence::FromHex(Text(in, "at")));
  return Entry(std::move(entry));
}

TableBroken TableBrokenIn(const json& in) {
  return {.table = TableIn(in),
          .error_class = Text(in, "error_class"),
          .message = Text(in, "message"),
          .remedy = Text(in, "remedy")};
}

Result<Entry> ShapeNotedIn(const json& in) {
  ShapeNoted entry;
  FRESHET_TRY(entry.shape, ShapeFromJson(in.at("shape")));
  FRESHET_TRY(entry.at, Sequence::FromHex(Text(in, "at")));
  entry.words_only = in.value("words_only", false);
  if (in.contains("unfilled")) entry.unfilled = ColumnsIn(in, "unfilled");
  return Entry(std::move(entry));
}

Entry SnapshotPartIn(const json& in) {
  auto entry = GenerationIn<SnapshotPart>(in);
  entry.chunk = Number(in, "chunk");
  entry.path = Text(in, "path");
  entry.rows = Number(in, "rows");
  entry.bytes = Number(in, "bytes");
  return entry;
}

Entry ChunkDoneIn(const json& in) {
  auto entry = GenerationIn<ChunkDone>(in);
  entry.chunk = Number(in, "chunk");
  entry.rows = Number(in, "rows");
  entry.values_nulled = in.value("values_nulled", int64_t{0});
  return entry;
}

Entry GenerationEndedIn(const json& in) {
  auto entry = GenerationIn<GenerationEnded>(in);
  entry.rows = Number(in, "rows");
  entry.values_nulled = Number(in, "values_nulled");
  return entry;
}

Entry GenerationAbandonedIn(const json& in) {
  auto entry = GenerationIn<GenerationAbandoned>(in);
  entry.successor = Generation(Number(in, "successor"));
  entry.why = Text(in, "why");
  entry.untold = in.value("untold", false);
  return entry;
}

Result<Entry> EntryIn(const json& in) {
  std::string kind = Text(in, "kind");
  if (kind == "table_listed") {
    return Entry(TableListed{.table = TableIn(in), .name = NameIn(in), .former = FormerIn(in)});
  }
  if (kind == "shape_noted") return ShapeNotedIn(in);
  if (kind == "partitions_noted") {
    return Entry(PartitionsNoted{.table = TableIn(in), .partitions = PartitionsIn(in)});
  }
  if (kind == "memo_noted") return Entry(MemoNoted{.table = TableIn(in), .memo = Text(in, "memo")});
  if (kind == "imprint_noted")
    return Entry(ImprintNoted{.table = TableIn(in), .imprint = ImprintFromJson(in.at("imprint"))});
  if (kind == "change_run") return ChangeRunIn(in);
  if (kind == "table_truncated") return TableEndedIn(in, record::TableEnd::Kind::kTruncated);
  if (kind == "table_dropped") return TableEndedIn(in, record::TableEnd::Kind::kDropped);
  if (kind == "table_broken") return Entry(TableBrokenIn(in));
  if (kind == "generation_begun") {
    FRESHET_TRY(GenerationBegun begun, GenerationBegunIn(in));
    return Entry(std::move(begun));
  }
  if (kind == "snapshot_part") return SnapshotPartIn(in);
  if (kind == "chunk_done") return ChunkDoneIn(in);
  if (kind == "generation_ended") return GenerationEndedIn(in);
  if (kind == "generation_abandoned") return GenerationAbandonedIn(in);
  return Error(ErrorClass::STAGING_CORRUPT, "a manifest's entry has an unknown kind: {}", kind);
}

Result<GenerationState> GenerationStateIn(const json& in) {
  GenerationState generation;
  FRESHET_TRY(generation.begun, GenerationBegunIn(in.at("begun")));
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
    FRESHET_TRY(generation.base, GenerationBegunIn(in.at("base")));
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
  if (in.contains("broken")) state.broken = TableBrokenIn(in.at("broken"));
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
    FRESHET_TRY(Entry entry, EntryIn(each));
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
  for (const Entry& entry : manifest.entries)
    out["entries"].push_back(std::visit(EntryWriter{}, entry));
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
