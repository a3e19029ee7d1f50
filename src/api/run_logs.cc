// SPDX-License-Identifier: Apache-2.0
// Logs of pipelines' runs and workers; ours, for the published API has none.
#include "pipeline/run_logs.h"

#include "api/context.h"
#include "base/server_limits.h"

namespace freshet::api {
namespace {

Json LogToJson(const pipeline::RunLog& log) {
  Json json{{"name", log.name}, {"worker", log.worker}};
  if (!log.update.empty()) json["update_id"] = log.update;
  json["file_size"] = log.bytes;
  json["last_modified"] = log.modified_at;
  return json;
}

Result<Json> ListLogs(const Context& context, const Request& request) {
  FRESHET_TRY(auto record, context.book->Get(request.part("id")));
  FRESHET_TRY(auto logs, pipeline::RunLogsOf(context.data, record.id));
  auto list = Json::array();
  const auto update = request.parameter("update_id");
  for (const auto& log : logs) {
    if (update.empty() || log.update == update) list.push_back(LogToJson(log));
  }
  return Json{{"logs", list}};
}

Result<Json> GetLog(const Context& context, const Request& request) {
  FRESHET_TRY(auto record, context.book->Get(request.part("id")));
  FRESHET_TRY(auto bytes, request.NumberParameter("max_bytes", 0));
  bytes = bytes == 0 ? limits::kLogBytes : std::min(bytes, limits::kLogBytesMax);
  std::optional<int64_t> from;
  if (request.query.contains("offset")) {
    FRESHET_TRY(from, request.NumberParameter("offset", 0));
  }
  const auto& name = request.part("name");
  FRESHET_TRY(auto piece, pipeline::ReadRunLog(context.data, record.id, name, from, bytes));
  return Json{{"name", name},
              {"content", piece.text},
              {"offset", piece.from},
              {"next_offset", piece.to},
              {"file_size", piece.bytes}};
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
RunLog = {name: text, worker: text, update_id?: text, file_size: count, last_modified: number}

pipelines.list_logs(update_id?: text): {logs: [RunLog]} -- Lists the log files of a pipeline's runs and their workers.
pipelines.get_log(max_bytes?: count, offset?: count):
  {name: text, content: text, offset: count, next_offset: count, file_size: count} -- Gives a piece of one, its end unless told.
)";

}  // namespace

void AddRunLogs(const Context& context, Router* router) {
  router->Describe(kDescription);
  const RouteAdder add(context, router);
  add("GET", "/api/2.0/pipelines/{id}/logs", "pipelines.list_logs", Rule::OnPipeline("CAN_VIEW"),
      ListLogs);
  add("GET", "/api/2.0/pipelines/{id}/logs/{name}", "pipelines.get_log",
      Rule::OnPipeline("CAN_VIEW"), GetLog);
}

}  // namespace freshet::api
