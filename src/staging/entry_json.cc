// SPDX-License-Identifier: Apache-2.0
#include "staging/entry_json.h"

#include "base/json.h"
#include "staging/json_fields.h"
#include "staging/shape_json.h"

namespace freshet::staging {
namespace {

using nlohmann::json;

// ---------------------------------------------------------------- writing

template <typename T>
json OfGeneration(std::string_view kind, const T& entry) {
  return {{"kind", kind},
          {"flow", entry.flow.value()},
          {"table", entry.table.value()},
          {"generation", entry.generation.value()}};
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
    if (entry.rest_from) out["rest_from"] = entry.rest_from->value();
    if (!entry.view.empty()) {
      out["view"] = entry.view;
      out["plan"] = entry.plan;
    }
    return out;
  }
  json operator()(const RestBegun& entry) {
    json out = OfGeneration("rest_begun", entry);
    out["position"] = entry.position.ToHex();
    out["taken_at"] = entry.taken_at;
    out["view"] = entry.view;
    out["plan"] = entry.plan;
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

// ---------------------------------------------------------------- reading

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

Result<Entry> TableEndedIn(const json& in, record::TableEnd::Kind kind) {
  TableEnded entry{
      .kind = kind, .table = TableIn(in), .at = {}, .committed_at = Number(in, "committed_at")};
  FRESHET_TRY(entry.at, Sequence::FromHex(Text(in, "at")));
  return Entry(std::move(entry));
}

Result<Entry> ShapeNotedIn(const json& in) {
  ShapeNoted entry;
  FRESHET_TRY(entry.shape, ShapeFromJson(in.at("shape")));
  FRESHET_TRY(entry.at, Sequence::FromHex(Text(in, "at")));
  entry.words_only = in.value("words_only", false);
  if (in.contains("unfilled")) entry.unfilled = ColumnsIn(in, "unfilled");
  return Entry(std::move(entry));
}

Result<Entry> RestBegunIn(const json& in) {
  auto entry = GenerationIn<RestBegun>(in);
  FRESHET_TRY(entry.position, Sequence::FromHex(Text(in, "position")));
  entry.taken_at = Number(in, "taken_at");
  entry.view = Text(in, "view");
  entry.plan = in.at("plan").get<std::vector<std::string>>();
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

}  // namespace

Result<GenerationBegun> GenerationBegunFromJson(const json& in) {
  auto entry = GenerationIn<GenerationBegun>(in);
  FRESHET_TRY(entry.position, Sequence::FromHex(Text(in, "position")));
  entry.taken_at = Number(in, "taken_at");
  entry.shape_version = Number32(in, "shape_version");
  entry.first_segment = SegmentNumber(Number(in, "first_segment"));
  entry.chunks = Number(in, "chunks");
  entry.rows_estimated = Number(in, "rows_estimated");
  entry.difference = in.value("difference", false);
  if (in.contains("columns")) entry.columns = ColumnsIn(in, "columns");
  if (in.contains("rest_from")) entry.rest_from = SegmentNumber(Number(in, "rest_from"));
  if (in.contains("view")) {
    entry.view = Text(in, "view");
    entry.plan = in.at("plan").get<std::vector<std::string>>();
  }
  return entry;
}

TableBroken TableBrokenFromJson(const json& in) {
  return {.table = TableIn(in),
          .error_class = Text(in, "error_class"),
          .message = Text(in, "message"),
          .remedy = Text(in, "remedy")};
}

Result<Entry> EntryFromJson(const json& in) {
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
  if (kind == "table_broken") return Entry(TableBrokenFromJson(in));
  if (kind == "generation_begun") {
    FRESHET_TRY(GenerationBegun begun, GenerationBegunFromJson(in));
    return Entry(std::move(begun));
  }
  if (kind == "rest_begun") return RestBegunIn(in);
  if (kind == "snapshot_part") return SnapshotPartIn(in);
  if (kind == "chunk_done") return ChunkDoneIn(in);
  if (kind == "generation_ended") return GenerationEndedIn(in);
  if (kind == "generation_abandoned") return GenerationAbandonedIn(in);
  return Error(ErrorClass::STAGING_CORRUPT, "a manifest's entry has an unknown kind: {}", kind);
}

json EntryToJson(const Entry& entry) { return std::visit(EntryWriter{}, entry); }

}  // namespace freshet::staging
