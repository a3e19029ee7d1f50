// SPDX-License-Identifier: Apache-2.0
#include "pipeline/display.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "pipeline/event_line.h"

namespace freshet::pipeline {
namespace {

using State = TableProgress::State;

void Write(std::FILE* file, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

std::string Counted(int64_t tables, std::string_view what) {
  return fmt::format("{} {} {}\n", tables, tables == 1 ? "table" : "tables", what);
}

std::string SummaryText(const RunSummary& summary) {
  const auto& totals = summary.totals;
  // A run that was refused before it knew a table has nothing to sum up.
  if (!summary.status.ok() && totals.tables == 0) return "";
  auto text = fmt::format(
      "{} of {} tables current; {} rows inserted, {} updated, {} deleted; {} values became NULL; "
      "{:.1f} s\n",
      totals.current, totals.tables, Grouped(totals.inserted), Grouped(totals.updated),
      Grouped(totals.deleted), Grouped(totals.values_nulled), summary.seconds);
  if (totals.failed > 0) text += Counted(totals.failed, "failed");
  if (totals.left_out > 0) text += Counted(totals.left_out, "left out");
  return text;
}

/// What is wrong, for the end: every table's failure with its remedy, then the run's own.
std::string TroubleText(const RunSummary& summary, const RunProgress& progress) {
  std::string text;
  for (const auto& [name, table] : progress.tables()) {
    if (table.failed.ok()) continue;
    text += fmt::format("{}: {}: {}\n", NameOf(table.state) == "left_out" ? "left out" : "failed",
                        name, table.failed.ToString());
    if (!table.failed.remedy().empty()) text += fmt::format("    {}\n", table.failed.remedy());
  }
  if (summary.status.Is(ErrorClass::CANCELLED))
    return text + "interrupted: the next run goes on from here\n";
  if (summary.status.ok()) return text;
  text += fmt::format("error: {}\n", summary.status.ToString());
  if (!summary.status.remedy().empty()) text += fmt::format("    {}\n", summary.status.remedy());
  return text;
}

/// One sentence a line.
class Lines final : public Display {
 public:
  Lines(std::FILE* out, std::FILE* err) : out_(out), err_(err) {}
  void OnEvent(const record::Event& event, const RunProgress& progress) override {
    auto text = Sentence(event, progress);
    if (!text.empty()) Write(out_, text + "\n");
  }
  void OnTick(const RunProgress&) override {}
  void OnEnd(const RunSummary& summary, const RunProgress& progress) override {
    Write(out_, SummaryText(summary));
    Write(err_, TroubleText(summary, progress));
  }

 private:
  std::FILE *out_, *err_;
};

/// One event a line, for programs.
class JsonLines final : public Display {
 public:
  JsonLines(Clock* clock, std::FILE* out, std::FILE* err) : clock_(clock), out_(out), err_(err) {}
  void OnEvent(const record::Event& event, const RunProgress&) override {
    auto stamped = event;
    stamped.fields.insert(stamped.fields.begin(), {"at", Timestamp(clock_->WallNow())});
    Write(out_, ToLine(stamped));
  }
  void OnTick(const RunProgress&) override {}
  void OnEnd(const RunSummary& summary, const RunProgress& progress) override {
    const auto& totals = summary.totals;
    record::Event event{"run_finished",
                        {{"tables", totals.tables},
                         {"current", totals.current},
                         {"failed", totals.failed},
                         {"left_out", totals.left_out},
                         {"inserted", totals.inserted},
                         {"updated", totals.updated},
                         {"deleted", totals.deleted},
                         {"values_nulled", totals.values_nulled},
                         {"seconds", summary.seconds}}};
    OnEvent(WithStatus(std::move(event), summary.status), progress);
    Write(err_, TroubleText(summary, progress));
  }

 private:
  Clock* clock_;
  std::FILE *out_, *err_;
};

/// Nothing but what went wrong.
class Quiet final : public Display {
 public:
  explicit Quiet(std::FILE* err) : err_(err) {}
  void OnEvent(const record::Event&, const RunProgress&) override {}
  void OnTick(const RunProgress&) override {}
  void OnEnd(const RunSummary& summary, const RunProgress& progress) override {
    Write(err_, TroubleText(summary, progress));
  }

 private:
  std::FILE* err_;
};

/// A bar a table that is read, drawn again in place; sentences scroll above.
class Bars final : public Display {
 public:
  Bars(std::FILE* out, std::FILE* err) : out_(out), err_(err) {}
  void OnEvent(const record::Event& event, const RunProgress& progress) override {
    // The bars show how reading goes on, and a continuous run's commits would scroll for ever.
    if (event.name == "snapshot_started" || event.name == "table_committed") return;
    auto text = Sentence(event, progress);
    if (!text.empty()) Write(out_, Erase() + text + "\n");
  }
  void OnTick(const RunProgress& progress) override {
    auto text = Erase();
    winsize size{};
    bool known = ioctl(fileno(out_), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    int width = known ? size.ws_col - 1 : 79;
    int height = known ? std::max(2, size.ws_row - 2) : 20;
    for (const auto& [name, table] : progress.tables()) {
      if (table.state != State::kSnapshot || drawn_ + 1 >= height) continue;
      text += BarLine(name, table, width) + "\n";
      ++drawn_;
    }
    auto totals = progress.Sum();
    auto line = fmt::format("{} of {} tables current, {} rows written", totals.current,
                            totals.tables, Grouped(totals.inserted + totals.updated));
    text += line.substr(0, static_cast<size_t>(width)) + "\n";
    ++drawn_;
    Write(out_, text);
  }
  void OnEnd(const RunSummary& summary, const RunProgress& progress) override {
    Write(out_, Erase() + SummaryText(summary));
    Write(err_, TroubleText(summary, progress));
  }

 private:
  /// ECMA-48: cursor up, erase to the end of the display.
  std::string Erase() {
    if (drawn_ == 0) return "";
    return fmt::format("\x1b[{}A\x1b[J", std::exchange(drawn_, 0));
  }
  std::FILE *out_, *err_;
  int drawn_ = 0;
};

}  // namespace

std::unique_ptr<Display> MakeDisplay(DisplayKind kind, Clock* clock, std::FILE* out,
                                     std::FILE* err) {
  switch (kind) {
    case DisplayKind::kBars:
      return std::make_unique<Bars>(out, err);
    case DisplayKind::kJson:
      return std::make_unique<JsonLines>(clock, out, err);
    case DisplayKind::kQuiet:
      return std::make_unique<Quiet>(err);
    case DisplayKind::kLines:
      break;
  }
  return std::make_unique<Lines>(out, err);
}

}  // namespace freshet::pipeline
