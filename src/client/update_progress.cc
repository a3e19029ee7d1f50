// SPDX-License-Identifier: Apache-2.0
#include "client/update_progress.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "client/legible.h"

namespace freshet::client {
namespace {

int64_t NumberIn(const Json& value, std::string_view path, int64_t absent) {
  const auto* found = At(value, path);
  return found != nullptr && found->is_number() ? found->get<int64_t>() : absent;
}

double RealIn(const Json& value, std::string_view path, double absent) {
  const auto* found = At(value, path);
  return found != nullptr && found->is_number() ? found->get<double>() : absent;
}

std::string DeepText(const Json& value, std::string_view path) {
  const auto* found = At(value, path);
  return found != nullptr && found->is_string() ? found->get<std::string>() : "";
}

/// The error that an event carries, with its class where that is one of ours.
Status ErrorIn(const Json& event) {
  auto message = Legible(DeepText(event, "error.exceptions.0.message"));
  if (message.empty()) return Status::Ok();
  auto name = DeepText(event, "error.exceptions.0.error_class");
  if (message.starts_with(name + ": ")) message.erase(0, name.size() + 2);
  return MakeError(ErrorClassOf(name).value_or(ErrorClass::INTERNAL), message);
}

bool IsDone(const FlowProgress& flow) { return flow.status == "COMPLETED"; }

/// It is no part of the update, which is one of some tables.
bool IsLeftOut(const FlowProgress& flow) { return flow.status == "EXCLUDED"; }

bool IsUnderWay(const FlowProgress& flow) {
  return flow.failure.empty() && !IsDone(flow) && !IsLeftOut(flow) && flow.status != "STOPPED" &&
         (flow.percent >= 0 || !flow.status.empty());
}

/// `1,234,567`.
std::string Grouped(int64_t number) {
  auto text = std::to_string(number);
  for (auto at = static_cast<int64_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<size_t>(at), ",");
  return text;
}

/// `2:05:09`, `3:07`.
std::string Clocked(int64_t seconds) {
  auto hours = seconds / 3600, minutes = seconds / 60 % 60;
  auto rest = fmt::format("{:02}:{:02}", minutes, seconds % 60);
  return hours > 0 ? fmt::format("{}:{}", hours, rest) : rest;
}

std::string FlowLine(const std::string& name, const FlowProgress& flow, size_t name_width) {
  auto line = name + std::string(name_width - std::min(name_width, WidthOf(name)), ' ');
  if (flow.percent >= 0) {
    line += fmt::format("  snapshot {:3.0f} %", flow.percent);
    if (flow.rows_read >= 0) line += fmt::format("  {} rows", Grouped(flow.rows_read));
  } else {
    line += fmt::format("  {:<9}", Legible(flow.status));
    line += fmt::format("  {} rows", Grouped(flow.upserted + flow.deleted));
  }
  if (flow.rows_per_second > 0)
    line += fmt::format("  {} rows/s", Grouped(static_cast<int64_t>(flow.rows_per_second)));
  if (flow.milliseconds_left >= 0)
    line += fmt::format("  {} left", Clocked(flow.milliseconds_left / 1000));
  return line;
}

}  // namespace

bool UpdateProgress::ended() const {
  return state_ == "COMPLETED" || state_ == "FAILED" || state_ == "CANCELED";
}

void UpdateProgress::TakeFlow(const Json& event, const std::string& name) {
  auto& flow = flows_[name];
  flow.status = DeepText(event, "details.flow_progress.status");
  const auto* metrics = At(event, "details.flow_progress.metrics");
  if (metrics != nullptr) {
    auto upserted = NumberIn(*metrics, "num_upserted_rows", 0);
    upserted += NumberIn(*metrics, "num_output_rows", 0);
    auto deleted = NumberIn(*metrics, "num_deleted_rows", 0);
    flow.upserted += upserted;
    flow.deleted += deleted;
    // Counted since the last that was told.
    auto at = MillisecondsOf(DeepText(event, "timestamp"));
    if (flow.told_at >= 0 && at > flow.told_at && flow.percent < 0) {
      flow.rows_per_second =
          static_cast<double>(upserted + deleted) * 1000 / static_cast<double>(at - flow.told_at);
    }
    flow.told_at = at;
  }
  if (flow.status == "FAILED") flow.failure = Legible(DeepText(event, "message"));
}

void UpdateProgress::TakeSnapshot(const Json& operation, const std::string& name) {
  auto& flow = flows_[name];
  auto status = DeepText(operation, "status");
  if (status == "COMPLETED" || status == "CANCELED" || status == "FAILED") {
    flow.percent = flow.rows_per_second = -1;
    flow.rows_read = flow.milliseconds_left = -1;
    return;
  }
  flow.percent = RealIn(operation, "progress_percent", 0);
  flow.milliseconds_left = NumberIn(operation, "estimated_completion_ms", -1);
  flow.rows_read = NumberIn(operation, "cdc_snapshot.num_rows", -1);
  flow.rows_per_second = RealIn(operation, "cdc_snapshot.rows_per_second", -1);
}

void UpdateProgress::Take(const Json& event) {
  auto type = TextIn(event, "event_type");
  if (type == "flow_progress") {
    auto name = DeepText(event, "origin.flow_name");
    if (!name.empty()) TakeFlow(event, Legible(name));
  } else if (type == "operation_progress") {
    const auto* operation = At(event, "details.operation_progress");
    auto name = operation == nullptr ? "" : DeepText(*operation, "cdc_snapshot.target_table_name");
    if (!name.empty()) TakeSnapshot(*operation, Legible(name));
  } else if (type == "update_progress") {
    if (auto error = ErrorIn(event); !error.ok()) why_ = error;
  }
}

UpdateProgress::Totals UpdateProgress::Sum() const {
  Totals totals;
  for (const auto& [name, flow] : flows_) {
    if (IsLeftOut(flow)) continue;
    ++totals.flows;
    if (IsDone(flow)) ++totals.done;
    if (!flow.failure.empty()) ++totals.failed;
    totals.upserted += flow.upserted;
    totals.deleted += flow.deleted;
  }
  return totals;
}

Outcome UpdateProgress::Ending() const {
  if (state_ == "COMPLETED") return {};
  if (state_ == "CANCELED") {
    return {Error(ErrorClass::CANCELLED, "the update was canceled")
                .WithRemedy("Nothing: the next update goes on from here.")};
  }
  bool only_tables = Sum().failed > 0;
  if (!why_.ok()) return {why_, only_tables};
  return {Error(ErrorClass::INTERNAL, "the update failed and does not say why"), only_tables};
}

int64_t MillisecondsOf(std::string_view timestamp) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, millisecond = 0;
  const std::string text(timestamp);
  constexpr char kForm[] = "%4d-%2d-%2dT%2d:%2d:%2d.%3d";
  if (std::sscanf(text.c_str(), kForm, &year, &month, &day, &hour, &minute, &second,
                  &millisecond) != 7)
    return -1;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return -1;
  const std::chrono::sys_days days(date);
  const auto at = std::chrono::hours(hour) + std::chrono::minutes(minute) +
                  std::chrono::seconds(second) + std::chrono::milliseconds(millisecond);
  return std::chrono::duration_cast<std::chrono::milliseconds>(days.time_since_epoch() + at)
      .count();
}

std::vector<std::string> BlockOf(const UpdateProgress& progress, int64_t seconds, size_t columns,
                                 size_t rows) {
  size_t width = 0;
  for (const auto& [name, flow] : progress.flows()) {
    if (IsUnderWay(flow)) width = std::max(width, WidthOf(name));
  }
  std::vector<std::string> lines;
  for (const auto& [name, flow] : progress.flows()) {
    if (IsUnderWay(flow) && lines.size() + 1 < rows) lines.push_back(FlowLine(name, flow, width));
  }
  auto sum = progress.Sum();
  lines.push_back(fmt::format("{}  {} of {} tables done, {} rows written  {}",
                              Legible(progress.state()), sum.done, sum.flows,
                              Grouped(sum.upserted + sum.deleted), Clocked(seconds)));
  for (auto& line : lines) line.resize(Cut(line, columns).size());
  return lines;
}

std::string LineOf(const Json& event) {
  return fmt::format("{}  {:<5}  {}", Legible(TextIn(event, "timestamp")),
                     Legible(TextIn(event, "level")), Legible(TextIn(event, "message")));
}

std::string SummaryOf(const UpdateProgress& progress) {
  auto sum = progress.Sum();
  auto text = fmt::format("{}: {} of {} tables done; {} rows upserted, {} deleted",
                          Legible(progress.state()), sum.done, sum.flows, Grouped(sum.upserted),
                          Grouped(sum.deleted));
  return sum.failed > 0 ? text + fmt::format("; {} failed", sum.failed) : text;
}

}  // namespace freshet::client
