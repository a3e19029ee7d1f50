// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "pipeline/display.h"
#include "pipeline/event_line.h"
#include "pipeline/status_report.h"

namespace freshet::pipeline {
namespace {

std::string Rows(const TableReport& table) {
  if (table.state == "snapshot" && table.rows_estimated > 0) {
    return fmt::format("{} of about {}", Grouped(table.snapshot_rows),
                       Grouped(table.rows_estimated));
  }
  return table.rows < 0 ? "-" : Grouped(table.rows);
}

std::string Reading(const TableReport& table) {
  auto text = fmt::format("    reading: {} of {} chunks", table.chunks_done, table.chunks);
  if (table.rows_per_second > 0)
    text += fmt::format(", {} rows/s", Grouped(static_cast<int64_t>(table.rows_per_second)));
  if (table.seconds_left >= 0) text += fmt::format(", {} left", Duration(table.seconds_left));
  return text + "\n";
}

std::string Lag(const TableReport& table) {
  return table.lag_seconds < 0 ? "-" : Duration(table.lag_seconds);
}

}  // namespace

std::string ToText(const StatusReport& report) {
  auto text = fmt::format("{}", report.running ? "a run goes on" : "no run goes on");
  if (report.captured_at > 0)
    text += fmt::format("; last heard from the source {}", Timestamp(report.captured_at));
  if (report.source_bytes_behind >= 0)
    text += fmt::format("; {} bytes behind it then", Grouped(report.source_bytes_behind));
  text += "\n";
  if (!report.last_run.ok())
    text +=
        fmt::format("last run: {}\n    {}\n", report.last_run.ToString(), report.last_run.remedy());
  size_t width = 5;
  for (const auto& table : report.tables) width = std::max(width, table.table.size());
  text += fmt::format("{:<{}}  {:<9}  {:>20}  {:>12}  {:>14}\n", "table", width, "state", "rows",
                      "lag", "lag bytes");
  for (const auto& table : report.tables) {
    text += fmt::format("{:<{}}  {:<9}  {:>20}  {:>12}  {:>14}\n", table.table, width, table.state,
                        Rows(table), Lag(table), Grouped(table.lag_bytes));
    if (table.state == "snapshot" || table.state == "refresh") text += Reading(table);
    if (table.read_at > 0)
      text += fmt::format("    read again and again; last {}\n", Timestamp(table.read_at));
    if (!table.error.ok())
      text += fmt::format("    {}\n    {}\n", table.error.ToString(), table.error.remedy());
  }
  return text;
}

std::string ToJsonLines(const StatusReport& report) {
  record::Event whole{"destination",
                      {{"running", report.running},
                       {"captured_at", report.captured_at > 0 ? Timestamp(report.captured_at) : ""},
                       {"source_bytes_behind", report.source_bytes_behind}}};
  auto lines = ToLine(WithStatus(std::move(whole), report.last_run));
  for (const auto& table : report.tables) {
    record::Event event{"table",
                        {{"table", table.table},
                         {"folder", table.folder},
                         {"state", table.state},
                         {"rows", table.rows},
                         {"version", table.version},
                         {"snapshot_rows", table.snapshot_rows},
                         {"rows_estimated", table.rows_estimated},
                         {"chunks", table.chunks},
                         {"chunks_done", table.chunks_done},
                         {"rows_per_second", table.rows_per_second},
                         {"seconds_left", table.seconds_left},
                         {"lag_seconds", table.lag_seconds},
                         {"read_at", table.read_at > 0 ? Timestamp(table.read_at) : ""},
                         {"lag_bytes", table.lag_bytes}}};
    lines += ToLine(WithStatus(std::move(event), table.error));
  }
  return lines;
}

}  // namespace freshet::pipeline
