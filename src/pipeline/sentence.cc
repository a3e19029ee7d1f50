// SPDX-License-Identifier: Apache-2.0
#include <fmt/chrono.h>

#include <algorithm>
#include <cmath>

#include "pipeline/display.h"
#include "pipeline/event_line.h"

namespace freshet::pipeline {
namespace {

constexpr int kNameWidth = 32;
constexpr int kBarWidth = 24;

std::string Failure(const record::Event& event, std::string_view words) {
  auto text = fmt::format("{}: {}: {} ({})", TextOf(event, "table"), words, TextOf(event, "reason"),
                          TextOf(event, "class"));
  auto remedy = TextOf(event, "remedy");
  return remedy.empty() ? text : fmt::format("{}\n    {}", text, remedy);
}

std::string Committed(const record::Event& event) {
  return fmt::format("{}: version {}, {} inserted, {} updated, {} deleted", TextOf(event, "table"),
                     NumberOf(event, "version"), Grouped(NumberOf(event, "inserted")),
                     Grouped(NumberOf(event, "updated")), Grouped(NumberOf(event, "deleted")));
}

/// Cut or padded to `width` characters; a byte of a UTF-8 character's tail counts nothing.
std::string Fit(const std::string& text, int width) {
  std::string fitted;
  int columns = 0;
  for (char c : text) {
    bool tail = (static_cast<unsigned char>(c) & 0xC0) == 0x80;
    if (!tail && columns++ == width) return fitted;
    fitted += c;
  }
  fitted.append(static_cast<size_t>(width - columns), ' ');
  return fitted;
}

}  // namespace

std::string Grouped(int64_t number) {
  auto digits = std::to_string(number);
  auto first = number < 0 ? 1 : 0;
  for (auto at = static_cast<int>(digits.size()) - 3; at > first; at -= 3)
    digits.insert(static_cast<size_t>(at), 1, ',');
  return digits;
}

std::string Duration(double seconds) {
  auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

std::string Timestamp(UtcMicros at) {
  auto seconds = static_cast<std::time_t>(at / 1'000'000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(seconds), at % 1'000'000);
}

std::string Sentence(const record::Event& event, const RunProgress& progress) {
  const auto& name = event.name;
  auto table = TextOf(event, "table");
  if (name == "table_left_out") return Failure(event, "left out");
  if (name == "table_failed") return Failure(event, "failed");
  if (name == "table_unread") return Failure(event, "could not be read again");
  if (name == "table_readable") return table + ": is read again";
  if (name == "table_reread" &&
      NumberOf(event, "inserted") + NumberOf(event, "updated") + NumberOf(event, "deleted") == 0)
    return fmt::format("{}: {} rows read again, nothing changed", table,
                       Grouped(NumberOf(event, "rows")));
  if (name == "warning") return fmt::format("warning: {}", TextOf(event, "reason"));
  if (name == "snapshot_started") {
    auto rows = NumberOf(event, "rows_estimated");
    return rows < 0 ? table + ": reading"
                    : fmt::format("{}: reading about {} rows", table, Grouped(rows));
  }
  if (name == "snapshot_interrupted")
    return fmt::format("{}: the rest is to be read from a later snapshot, {} chunks left: {}",
                       table, NumberOf(event, "chunks_left"), TextOf(event, "why"));
  if (name == "snapshot_resumed") {
    return fmt::format("{}: reading on, {} of {} chunks left", table,
                       NumberOf(event, "chunks_left"), NumberOf(event, "chunks"));
  }
  if (name == "shape_changed")
    return fmt::format("{}: its columns changed: {}", table, TextOf(event, "what"));
  if (name == "columns_filled")
    return fmt::format("{}: columns that were read are filled in, {} rows", table,
                       Grouped(NumberOf(event, "rows")));
  if (name == "columns_dropped")
    return fmt::format("{}: dropped {}, which the source has no more", table,
                       TextOf(event, "columns"));
  if (name == "properties_set")
    return fmt::format("{}: given {}", table, TextOf(event, "properties"));
  if (name == "table_upgraded") {
    auto loses = TextOf(event, "loses");
    return fmt::format("{}: has {} from version {} on{}{}", table, TextOf(event, "features"),
                       NumberOf(event, "version"), loses.empty() ? "" : "; not for ", loses);
  }
  if (name == "snapshot_abandoned")
    return fmt::format("{}: reading again: {}", table, TextOf(event, "why"));
  if (name == "snapshot_completed")
    return fmt::format("{}: {} rows read", table, Grouped(NumberOf(event, "rows")));
  if (name == "refresh_asked")
    return fmt::format("{}: to be read again ({})", table, TextOf(event, "why"));
  if (name == "table_refreshed") return table + ": read again, its new rows are in place";
  // While a table is read, its chunks' commits say nothing that the reading doesn't.
  if (name == "table_committed") {
    auto known = progress.tables().find(table);
    bool reading =
        known != progress.tables().end() && known->second.state == TableProgress::State::kSnapshot;
    return reading ? "" : Committed(event);
  }
  if (name == "source_retried") {
    return fmt::format("the source is tried again in {:.1f} s: {} ({})",
                       static_cast<double>(NumberOf(event, "wait_ms")) / 1000,
                       TextOf(event, "reason"), TextOf(event, "class"));
  }
  if (name == "worker_restarted") {
    return fmt::format("the {} worker starts again in {:.1f} s: {} ({})", TextOf(event, "worker"),
                       static_cast<double>(NumberOf(event, "wait_ms")) / 1000,
                       TextOf(event, "reason"), TextOf(event, "class"));
  }
  return "";
}

std::string BarLine(const std::string& name, const TableProgress& table, int width) {
  std::string tail;
  if (table.rows_estimated > 0) {
    // The estimate is never sure: a table that outgrew it is shown as nearly done, not as more than
    // whole.
    auto part = std::min(
        0.99, static_cast<double>(table.snapshot_rows) / static_cast<double>(table.rows_estimated));
    auto filled = static_cast<size_t>(part * kBarWidth);
    tail = fmt::format("[{}{}] {:3.0f} %", std::string(filled, '#'),
                       std::string(kBarWidth - filled, '.'), part * 100);
  } else {
    tail = fmt::format("{} rows", Grouped(table.snapshot_rows));
  }
  if (table.rows_per_second > 0)
    tail += fmt::format("  {} rows/s", Grouped(static_cast<int64_t>(table.rows_per_second)));
  if (table.seconds_left >= 0) tail += fmt::format("  {} left", Duration(table.seconds_left));
  auto line = Fit(name, kNameWidth) + "  " + tail;
  return Fit(line, width).substr(0, line.size());
}

}  // namespace freshet::pipeline
