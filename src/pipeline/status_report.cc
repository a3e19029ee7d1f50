// SPDX-License-Identifier: Apache-2.0
#include "pipeline/status_report.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "apply/table_form.h"
#include "base/limits.h"
#include "delta/stats.h"
#include "delta/table.h"
#include "pipeline/display.h"
#include "pipeline/event_line.h"
#include "pipeline/flow_book.h"
#include "staging/reader.h"
#include "staging/wishes.h"
#include "store/file_store.h"

namespace freshet::pipeline {
namespace {

using record::SegmentNumber;

/// Rows that readers see: those of the files' statistics less the dead ones. Nothing: a file has no
/// statistics.
std::optional<int64_t> LiveRows(const delta::Snapshot& snapshot) {
  int64_t rows = 0;
  for (const auto& [path, file] : snapshot.files) {
    auto held = delta::RowsOf(file.stats_json);
    if (held < 0) return std::nullopt;
    rows += held;
    if (file.deletion_vector) rows -= file.deletion_vector->cardinality;
  }
  return rows;
}

/// Everything that all tables are judged by, read once.
struct Staged {
  std::shared_ptr<const staging::Checkpoint> checkpoint;
  UtcMicros sealed_at = 0;
  SegmentNumber floor;  // the reader is past all segments up to it
  /// Where a table's segments are, and how many bytes each holds for it: of the newest segments
  /// only.
  std::map<record::TableId, std::map<SegmentNumber, int64_t>> bytes;
};

void AddBytes(const staging::Manifest& manifest, Staged* staged) {
  for (const auto& entry : manifest.entries) {
    if (auto* run = std::get_if<staging::ChangeRun>(&entry))
      staged->bytes[run->table][manifest.number] += run->length;
    if (auto* part = std::get_if<staging::SnapshotPart>(&entry))
      staged->bytes[part->table][manifest.number] += part->bytes;
  }
}

Result<Staged> ReadStaging(const std::shared_ptr<store::FileStore>& store, SegmentNumber floor) {
  Staged staged;
  staged.floor = floor;
  FRESHET_TRY(auto reader, staging::StagingReader::Open(store));
  FRESHET_TRY(staged.checkpoint, reader->Latest());
  int64_t through = staged.checkpoint->through.value();
  auto after = std::max<int64_t>(floor.value(), through - limits::kApplySegmentsMax);
  // One more than is not applied: the last segment says when staging last heard from the source.
  after = std::max<int64_t>(0, std::min(after, through - 1));
  FRESHET_TRY(auto manifests, reader->List(SegmentNumber(after), limits::kApplySegmentsMax + 1));
  for (const auto& manifest : manifests) {
    staged.sealed_at = manifest->sealed_at;
    AddBytes(*manifest, &staged);
  }
  return staged;
}

/// A flow is `t` and its table's id.
record::TableId TableOf(const record::FlowId& flow) {
  return record::TableId(flow.value().substr(std::min<size_t>(1, flow.value().size())));
}

const staging::TableState* FindTable(const Staged& staged, const record::FlowId& flow) {
  auto found = staged.checkpoint->tables.find(TableOf(flow));
  return found == staged.checkpoint->tables.end() ? nullptr : &found->second;
}

int64_t BytesAfter(const Staged& staged, const record::FlowId& flow, int64_t applied) {
  int64_t bytes = 0;
  auto found = staged.bytes.find(TableOf(flow));
  if (found == staged.bytes.end()) return bytes;
  for (const auto& [segment, size] : found->second) bytes += segment.value() > applied ? size : 0;
  return bytes;
}

/// What the table's own log says of it.
struct Landed {
  int64_t applied = 0;     // segments
  int64_t generation = 0;  // 0: none is whole
};

/// Judge by what is durable: the table's own position against the last segment that concerns it.
void Judge(const Staged& staged, const FlowBook::Entry& entry, const Landed& landed, UtcMicros now,
           TableReport* report) {
  const int64_t applied = landed.applied;
  auto* state = FindTable(staged, entry.flow);
  report->state = "waiting";
  if (state == nullptr) return;
  auto generation = state->generations.find(entry.flow);
  if (state->broken) {
    auto error_class = ErrorClassOf(state->broken->error_class).value_or(ErrorClass::INTERNAL);
    report->error =
        MakeError(error_class, state->broken->message).WithRemedy(state->broken->remedy);
    report->state = "failed";
    return;
  }
  if (generation == state->generations.end()) return;
  report->lag_bytes = BytesAfter(staged, entry.flow, applied);
  if (generation->second.begun.difference) {
    // Where nothing differed nothing was committed: then only the reader's floor tells.
    const int64_t seen = std::max(applied, staged.floor.value());
    const bool taken = !generation->second.ended || seen >= state->last_segment.value();
    report->state = taken ? "current" : "behind";
    if (taken) report->lag_bytes = 0;
    return;
  }
  const bool refresh =
      landed.generation > 0 && landed.generation < generation->second.whole().generation.value();
  if (refresh || !(generation->second.ended || generation->second.base)) {
    report->state = refresh ? "refresh" : "snapshot";
    report->snapshot_rows = generation->second.rows;
    report->rows_estimated = generation->second.begun.rows_estimated;
    report->chunks = generation->second.begun.chunks;
    report->chunks_done = std::ssize(generation->second.chunks_done);
    return;
  }
  // An abandoned one stays as it is until its successor is read.
  bool current = generation->second.ended && !generation->second.successor &&
                 (applied >= state->last_segment.value() || report->lag_bytes == 0);
  report->state = current ? "current" : "behind";
  auto known_at = current ? staged.sealed_at : staged.checkpoint->committed_at;
  if (known_at > 0)
    report->lag_seconds = static_cast<double>(std::max<int64_t>(0, now - known_at)) / 1e6;
}

/// What only the run that reads the table knows; it saves it about every second.
void TakeRunning(const record::Event& saved, TableReport* report) {
  const bool reading = report->state == "snapshot" || report->state == "refresh";
  if (!reading || TextOf(saved, "state") != "snapshot") return;
  report->rows_per_second = RealOf(saved, "rows_per_second", -1);
  report->seconds_left = RealOf(saved, "seconds_left", -1);
  report->snapshot_rows = std::max(report->snapshot_rows, NumberOf(saved, "snapshot_rows"));
  if (NumberOf(saved, "rows_estimated") > 0)
    report->rows_estimated = NumberOf(saved, "rows_estimated");
}

TableReport ReadTable(const Destination& destination, bool running,
                      const std::shared_ptr<store::FileStore>& root, const Staged& staged,
                      const FlowBook::Entry& entry, UtcMicros now) {
  TableReport report{
      .table = entry.source.ToString(), .folder = entry.folder, .state = {}, .error = {}};
  Landed landed;
  auto snapshot = delta::Table(store::Below(root, entry.folder)).Latest(nullptr);
  if (snapshot.ok()) {
    report.version = (*snapshot)->version;
    report.rows = LiveRows(**snapshot).value_or(-1);
    for (auto* what : {"/changes", "/snapshot"}) {
      auto txn = (*snapshot)->txns.find(entry.flow.value() + what);
      if (txn != (*snapshot)->txns.end())
        landed.applied = std::max(landed.applied, txn->second.version);
    }
    auto generation = (*snapshot)->txns.find(entry.flow.value() + "/generation");
    auto mark = apply::TableMark::Of((*snapshot)->metadata.configuration);
    bool whole = mark.ok() && *mark && (*mark)->complete;
    if (whole && generation != (*snapshot)->txns.end())
      landed.generation = generation->second.version;
  }
  Judge(staged, entry, landed, now, &report);
  if (!snapshot.ok() && !snapshot.status().Is(ErrorClass::NOT_FOUND))
    report.error = snapshot.status();
  auto saved = ReadEventFile(
      fmt::format("{}/table-{}.json", destination.status(), EncodeName(report.table)));
  if (saved && report.error.ok()) report.error = StatusOf(*saved);
  if (saved && running) TakeRunning(*saved, &report);
  if (saved) report.read_at = NumberOf(*saved, "read_at");
  if (report.read_at > 0)
    report.lag_seconds = static_cast<double>(std::max<int64_t>(0, now - report.read_at)) / 1e6;
  if (!report.error.ok()) report.state = "failed";
  return report;
}

/// Tables that never got a flow are known from the last run only.
std::vector<TableReport> ReadLeftOut(const Destination& destination) {
  std::vector<TableReport> reports;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(destination.status(), error)) {
    auto saved = ReadEventFile(file.path().string());
    if (!saved || saved->name != "table" || TextOf(*saved, "state") != "left_out") continue;
    reports.push_back({.table = TextOf(*saved, "table"),
                       .folder = {},
                       .state = "left_out",
                       .error = StatusOf(*saved)});
  }
  return reports;
}

}  // namespace

Result<StatusReport> ReadStatus(const Destination& destination, Clock* clock) {
  StatusReport report;
  report.running = destination.Busy();
  if (auto run = ReadEventFile(destination.status() + "/run.json")) {
    report.source_bytes_behind = NumberOf(*run, "bytes_behind");
    report.last_run = StatusOf(*run);
  }
  report.tables = ReadLeftOut(destination);
  FRESHET_TRY(auto root, store::OpenLocalStore(destination.root()));
  FRESHET_TRY(auto book, FlowBook::Open(root));
  if (!book.entries().empty()) {
    FRESHET_TRY(auto readers, staging::ListReaders(*store::Below(root, "_freshet/staging")));
    SegmentNumber floor;
    if (!readers.empty()) floor = readers.front().floor;
    FRESHET_TRY(auto staged, ReadStaging(store::Below(root, "_freshet/staging"), floor));
    report.captured_at = staged.sealed_at;
    auto now = clock->WallNow();
    for (const auto& [flow, entry] : book.entries()) {
      if (book.IsSucceeded(flow)) continue;
      report.tables.push_back(ReadTable(destination, report.running, root, staged, entry, now));
    }
  }
  std::ranges::sort(report.tables, {}, &TableReport::table);
  return report;
}

}  // namespace freshet::pipeline
