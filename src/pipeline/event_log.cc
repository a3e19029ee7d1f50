// SPDX-License-Identifier: Apache-2.0
#include "pipeline/event_log.h"

#include <algorithm>

#include "base/json.h"
#include "pipeline/configuration.h"
#include "pipeline/display.h"
#include "pipeline/event_line.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::ordered_json;

/// Of a configuration with many.
constexpr size_t kKeysNamed = 50;

std::string ToText(const Json& json) { return JsonText(json); }

std::string ErrorText(const Status& why) {
  if (why.ok()) return "";
  auto name = std::string(NameOf(why.error_class()));
  auto message = why.ToString();
  if (!why.remedy().empty()) message += " " + std::string(why.remedy());
  Json exception{{"class_name", name}, {"message", message}, {"error_class", name}};
  return ToText(
      {{"fatal", why.retry() == Retry::kNever}, {"exceptions", Json::array({exception})}});
}

/// How much of a snapshot is staged, by its chunks.
double PercentOf(const record::Event& event) {
  auto chunks = NumberOf(event, "chunks"), left = NumberOf(event, "chunks_left");
  return chunks <= 0 ? 0 : 100.0 * static_cast<double>(chunks - left) / static_cast<double>(chunks);
}

}  // namespace

EventRecord EventLog::Make(std::string_view level, std::string_view type,
                           std::string message) const {
  Json origin{{"cloud", "self-hosted"},
              {"region", "local"},
              {"pipeline_id", pipeline_.id},
              {"pipeline_name", pipeline_.name},
              {"pipeline_type", gateway_ ? "INGESTION_GATEWAY" : "MANAGED_INGESTION"}};
  if (!update_.empty()) origin["update_id"] = update_;
  return {.pipeline = pipeline_.id,
          .update = update_,
          .level = std::string(level),
          .type = std::string(type),
          .message = std::move(message),
          .origin = ToText(origin)};
}

EventRecord EventLog::Progress(UpdateState state, const Status& why) const {
  auto level = state == UpdateState::kFailed ? "ERROR" : "INFO";
  auto event = Make(level, "update_progress",
                    fmt::format("Update {} is {}.", update_.substr(0, 6), NameOf(state)));
  if (!why.ok()) event.message += " " + why.ToString();
  event.details = ToText({{"update_progress", {{"state", NameOf(state)}}}});
  event.error = ErrorText(why);
  return event;
}

EventRecord EventLog::UserAction(std::string_view action, std::string_view user) const {
  auto event = Make("INFO", "user_action", fmt::format("User {} performed {}.", user, action));
  event.details = ToText({{"user_action", {{"action", action}, {"user_name", user}}}});
  return event;
}

EventRecord EventLog::CreateUpdate(std::string_view cause, const std::string& request) const {
  auto event = Make("INFO", "create_update",
                    fmt::format("Update {} started by {}.", update_.substr(0, 6), cause));
  auto asked = ParseJson<Json>(request);
  event.details = ToText({{"create_update", {{"cause", cause}, {"request", asked}}}});
  return event;
}

std::vector<EventRecord> EventLog::Begun(std::string_view cause, const std::string& request) const {
  std::vector events{CreateUpdate(cause, request)};
  if (auto unused = UnusedSettings()) events.push_back(*std::move(unused));
  return events;
}

std::optional<EventRecord> EventLog::UnusedSettings() const {
  auto keys = ConfigurationOf(pipeline_).unused;
  if (keys.empty()) return std::nullopt;
  std::string rest;
  if (keys.size() > kKeysNamed) {
    rest = fmt::format(" and {} more", keys.size() - kKeysNamed);
    keys.resize(kKeysNamed);
  }
  return Make("WARN", "runtime_details",
              fmt::format("Nothing follows from these keys of the configuration: {}{}.",
                          fmt::join(keys, ", "), rest));
}

Status EventLog::TellFlow(const std::string& table, std::string_view status,
                          const FlowMetrics& metrics, const Status& why) {
  auto& told = statuses_[table];
  if (told == status && metrics.counters.empty()) return Status::Ok();
  told = status;
  auto level = !why.ok() ? "ERROR" : metrics.periodic ? "METRICS" : "INFO";
  auto event = Make(level, "flow_progress", fmt::format("Flow '{}' is {}.", table, status));
  if (!why.ok()) event.message += " " + why.ToString();
  Json details{{"status", status}};
  if (!metrics.counters.empty()) details["metrics"] = ParseJsonOrThrow<Json>(metrics.counters);
  if (!metrics.streaming.empty())
    details["streaming_metrics"] = ParseJsonOrThrow<Json>(metrics.streaming);
  event.details = ToText({{"flow_progress", details}});
  event.error = ErrorText(why);
  auto origin = ParseJsonOrThrow<Json>(event.origin);
  origin["flow_name"] = table;
  origin["dataset_name"] = table;
  event.origin = ToText(origin);
  return book_->AddEvent(std::move(event));
}

Status EventLog::TellSnapshot(const record::Event& event, std::string_view status, double percent) {
  auto table = TextOf(event, "table");
  auto record = Make("INFO", "operation_progress",
                     fmt::format("Snapshot of '{}' is {} ({:.0f} %).", table, status, percent));
  Json details{{"type", "CDC_SNAPSHOT"},
               {"status", status},
               {"progress_percent", percent},
               {"cdc_snapshot", {{"target_table_name", table}}}};
  // Ours; the published shape has none of them.
  if (Has(event, "rows")) details["cdc_snapshot"]["num_rows"] = NumberOf(event, "rows");
  auto speed = RealOf(event, "rows_per_second", -1);
  if (speed >= 0) details["cdc_snapshot"]["rows_per_second"] = speed;
  auto left = RealOf(event, "seconds_left", -1);
  if (left >= 0) details["estimated_completion_ms"] = static_cast<int64_t>(left * 1000);
  record.details = ToText({{"operation_progress", details}});
  return book_->AddEvent(std::move(record));
}

/// Source: the published names of a gateway's flows, and their counters, which are since the last
/// that was told.
Status EventLog::TakeCaptured(const record::Event& event) {
  auto table = TextOf(event, "table");
  if (event.name == "table_found")
    return TellFlow(table + "_cdc_flow", "RUNNING", {}, Status::Ok());
  if (event.name == "snapshot_started")
    return TellFlow(table + "_snapshot_flow", "RUNNING", {}, Status::Ok());
  if (event.name == "snapshot_completed") {
    Json metrics{{"num_upserted_rows", NumberOf(event, "rows")}};
    return TellFlow(table + "_snapshot_flow", "COMPLETED", {ToText(metrics)}, Status::Ok());
  }
  if (event.name == "snapshot_abandoned")
    return TellFlow(table + "_snapshot_flow", "STOPPED", {}, Status::Ok());
  if (event.name == "changes_staged") {
    Json metrics{{"num_upserted_rows", NumberOf(event, "upserted")},
                 {"num_deleted_rows", NumberOf(event, "deleted")},
                 {"num_output_bytes", NumberOf(event, "bytes")}};
    Json streaming{{"discovery_latency_ms", NumberOf(event, "lag_ms")}};
    const int64_t committed_at = NumberOf(event, "committed_at");
    if (committed_at > 0) streaming["event_time"] = {{"max", Timestamp(committed_at)}};
    return TellFlow(table + "_cdc_flow", "RUNNING", {ToText(metrics), ToText(streaming), true},
                    Status::Ok());
  }
  if (event.name != "segment_sealed") return Status::Ok();
  Json metrics{{"num_output_rows", NumberOf(event, "rows")},
               {"num_output_bytes", NumberOf(event, "bytes")},
               {"backlog_bytes", std::max<int64_t>(0, NumberOf(event, "bytes_behind"))}};
  Json streaming{{"discovery_latency_ms", NumberOf(event, "lag_ms")}};
  return TellFlow("cdc_flow", "RUNNING", {ToText(metrics), ToText(streaming), true}, Status::Ok());
}

Status EventLog::Take(const record::Event& event) {
  const auto& name = event.name;
  auto table = TextOf(event, "table");
  if (gateway_) FRESHET_CHECK_OK(TakeCaptured(event));
  if (name == "table_found" && Has(event, "flow")) {
    auto record = Make("INFO", "flow_definition", fmt::format("Flow '{}' defined.", table));
    record.details =
        ToText({{"flow_definition", {{"output_dataset", table}, {"flow_type", "CHANGE"}}}});
    FRESHET_CHECK_OK(book_->AddEvent(std::move(record)));
    record = Make("INFO", "dataset_definition", fmt::format("Table '{}' defined.", table));
    record.details =
        ToText({{"dataset_definition", {{"dataset_type", "STREAMING_TABLE"}, {"num_flows", 1}}}});
    FRESHET_CHECK_OK(book_->AddEvent(std::move(record)));
    return TellFlow(table, "STARTING", {}, Status::Ok());
  }
  if (name == "snapshot_started") return TellSnapshot(event, "STARTED", 0);
  if (name == "snapshot_progress") return TellSnapshot(event, "IN_PROGRESS", PercentOf(event));
  if (name == "snapshot_completed") return TellSnapshot(event, "COMPLETED", 100);
  if (name == "table_committed") {
    auto upserted = NumberOf(event, "inserted") + NumberOf(event, "updated");
    Json metrics{{"num_upserted_rows", upserted}, {"num_deleted_rows", NumberOf(event, "deleted")}};
    return TellFlow(table, "RUNNING", {ToText(metrics)}, Status::Ok());
  }
  if (name == "table_excluded") return TellFlow(table, "EXCLUDED", {}, Status::Ok());
  if (name == "table_failed" || name == "table_broken" || name == "table_left_out" ||
      name == "table_unread")
    return TellFlow(table, "FAILED", {}, StatusOf(event));
  if (name == "warning" || name == "worker_restarted" || name == "source_retried" ||
      name == "tables_unseen") {
    auto record = Make("WARN", "runtime_details",
                       name == "warning" ? TextOf(event, "reason")
                                         : fmt::format("{}: {}", name, StatusOf(event).ToString()));
    record.error = ErrorText(StatusOf(event));
    return book_->AddEvent(std::move(record));
  }
  return Status::Ok();
}

Status EventLog::Finish(bool completed) {
  auto open = statuses_;
  for (const auto& [table, status] : open) {
    if (status == "FAILED" || status == "EXCLUDED") continue;
    FRESHET_CHECK_OK(TellFlow(table, completed ? "COMPLETED" : "STOPPED", {}, Status::Ok()));
  }
  return Status::Ok();
}

}  // namespace freshet::pipeline
