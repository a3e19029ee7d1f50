// SPDX-License-Identifier: Apache-2.0
// What is noted of changes, and told of it. Ours: the published product keeps it in a table.
#include "api/audit.h"

#include <algorithm>
#include <array>

#include "api/oauth.h"
#include "api/updates.h"
#include "base/server_limits.h"

namespace freshet::api {
namespace {

/// Whatever else a body holds is not noted.
constexpr std::array<std::string_view, 38> kNoted{"Operations",
                                                  "access_control_list",
                                                  "active",
                                                  "allow_duplicate_names",
                                                  "applicationId",
                                                  "application_id",
                                                  "catalog_name",
                                                  "cause",
                                                  "changes",
                                                  "client_id",
                                                  "connection_type",
                                                  "displayName",
                                                  "dry_run",
                                                  "format",
                                                  "full_refresh",
                                                  "full_refresh_selection",
                                                  "lifetime",
                                                  "lifetime_seconds",
                                                  "members",
                                                  "name",
                                                  "new_name",
                                                  "overwrite",
                                                  "owner",
                                                  "path",
                                                  "read_only",
                                                  "recursive",
                                                  "refresh_selection",
                                                  "run_as",
                                                  "schema",
                                                  "schema_name",
                                                  "source_catalog",
                                                  "storage_location",
                                                  "storage_root",
                                                  "token_id",
                                                  "userName",
                                                  "validate_only",
                                                  "volume_type",
                                                  "catalog"};
/// What an answer names that was made.
constexpr std::array<std::string_view, 5> kResults{"id", "full_name", "pipeline_id", "token_id",
                                                   "update_id"};

Json Shortened(const Json& value) {
  auto text = JsonText(value);
  if (text.size() <= limits::kAuditBytesMax) return value;
  return text.substr(0, limits::kAuditBytesMax) + "…";
}

template <size_t size>
Json Chosen(const Json& body, const std::array<std::string_view, size>& names) {
  auto chosen = Json::object();
  for (const auto& [name, value] : body.items()) {
    if (std::ranges::find(names, name) != names.end()) chosen[name] = Shortened(value);
  }
  return chosen;
}

/// What of a body there is to choose from. A file's content is none of it.
Json BodyOf(const Route& route, const Request& request) {
  if (route.operation == "oauth.token") return Json{{"client_id", ClientIdOf(request)}};
  if (!request.form.empty()) return ToJson(request.form);
  if (route.operation == "workspace_files.import") return Json::object();
  auto body = ParseBody(request.body);
  return body.ok() ? *body : Json::object();
}

Json AuditToJson(const catalog::AuditRecord& record) {
  Json json{{"id", record.number},
            {"timestamp", TimeText(record.at)},
            {"principal", record.principal},
            {"source_ip", record.client},
            {"operation", record.operation},
            {"method", record.method},
            {"path", record.path},
            {"parameters", ParseJson<Json>(record.parameters)},
            {"outcome", record.status == 0    ? "UNKNOWN"
                        : record.status < 400 ? "DONE"
                        : record.status < 500 ? "REFUSED"
                                              : "FAILED"}};
  if (record.status != 0) json["status"] = record.status;
  if (!record.error_code.empty()) json["error_code"] = record.error_code;
  if (record.result != "{}") json["result"] = ParseJson<Json>(record.result);
  return json;
}

Result<Json> ListAudit(const Context& context, const Request& request) {
  catalog::AuditRequest wanted{.principal = request.parameter("principal"),
                               .operation = request.parameter("operation")};
  FRESHET_TRY(wanted.since, request.NumberParameter("start_time", 0));
  FRESHET_TRY(wanted.until, request.NumberParameter("end_time", 0));
  FRESHET_TRY(wanted.before, request.PageNumber());
  FRESHET_TRY(auto rows, request.NumberParameter("max_results", 0));
  rows = rows == 0 ? limits::kPageRows : std::min(rows, limits::kPageRowsMax);
  wanted.rows = rows + 1;
  FRESHET_TRY(auto records, context.audit->List(wanted));
  bool more = static_cast<int64_t>(records.size()) > rows;
  if (more) records.pop_back();
  auto list = Json::array();
  for (const auto& record : records) list.push_back(AuditToJson(record));
  Json json{{"entries", list}};
  if (more) json["next_page_token"] = std::to_string(records.back().number);
  return json;
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
AuditEntry = {id: number, timestamp: moment, principal: text, source_ip: text, operation: text, method: text, path: text,
  parameters: {*: any}, outcome: "DONE" | "REFUSED" | "FAILED" | "UNKNOWN", status?: number, error_code?: text,
  result?: {*: any}}

audit.list(principal?: text, operation?: text, start_time?: count, end_time?: count, max_results?: count, page_token?: text):
  {entries: [AuditEntry], ...Page} -- Lists who changed what, the newest first.
)";

}  // namespace

bool IsChange(const Route& route) { return route.method != "GET"; }

catalog::AuditRecord AuditOf(const Route& route, const Request& request) {
  auto target = request.target.substr(0, request.target.find('?'));
  return {.principal = request.user.name,
          .client = request.client,
          .operation = std::string(route.operation),
          .method = request.method,
          .path = target.substr(0, limits::kAuditBytesMax),
          .parameters = JsonText(Chosen(BodyOf(route, request), kNoted))};
}

Status EndAudit(catalog::AuditLog* log, int64_t number, const Response& response) {
  auto body = ParseJson<Json>(response.body);
  if (!body.is_object()) body = Json::object();
  auto code = body.find("error_code");
  return log->End(number, response.status,
                  code != body.end() && code->is_string() ? code->get<std::string>() : "",
                  JsonText(Chosen(body, kResults)));
}

void AddAudit(const Context& context, Router* router) {
  router->Describe(kDescription);
  const RouteAdder add(context, router);
  add("GET", "/api/2.0/audit-log", "audit.list", Rule::Admins(), ListAudit);
}

}  // namespace freshet::api
