// SPDX-License-Identifier: Apache-2.0
// Pipelines, authored. Source: the published Pipelines API, 2.0.
#include "api/context.h"
#include "api/event_filter.h"
#include "api/pipeline_access.h"
#include "api/pipeline_checks.h"
#include "api/updates.h"
#include "base/log.h"
#include "base/random.h"
#include "base/server_limits.h"
#include "pipeline/delete_pipeline.h"

namespace freshet::api {
namespace {

using pipeline::PipelineRecord;
using pipeline::UpdateState;

/// Source: the published limits of a list of pipelines.
constexpr int64_t kListRows = 25, kListRowsMax = 100;
/// Updates that come with a pipeline.
constexpr int64_t kLatestUpdates = 5;

/// Source: the published PipelineState. A triggered pipeline whose update failed is idle.
std::string_view StateOf(const PipelineRecord& record,
                         const std::vector<pipeline::UpdateRecord>& updates) {
  if (updates.empty()) return "IDLE";
  switch (updates[0].state) {
    case UpdateState::kRunning:
      return "RUNNING";
    case UpdateState::kStopping:
      return "STOPPING";
    case UpdateState::kFailed:
      return record.continuous || pipeline::IsGateway(record) ? "FAILED" : "IDLE";
    case UpdateState::kCompleted:
    case UpdateState::kCanceled:
      return "IDLE";
    default:
      return "STARTING";
  }
}

std::string_view HealthOf(const std::vector<pipeline::UpdateRecord>& updates) {
  return !updates.empty() && updates[0].state == UpdateState::kFailed ? "UNHEALTHY" : "HEALTHY";
}

Json LatestToJson(const std::vector<pipeline::UpdateRecord>& updates) {
  auto list = Json::array();
  for (const auto& update : updates) {
    list.push_back({{"update_id", update.id},
                    {"state", pipeline::NameOf(update.state)},
                    {"creation_time", TimeText(update.created_at)}});
  }
  return list;
}

Result<Json> PipelineToJson(const Context& context, const PipelineRecord& record, bool whole) {
  FRESHET_TRY(auto updates, context.book->Updates(record.id, kLatestUpdates, 0));
  Json json{{"pipeline_id", record.id},
            {"state", StateOf(record, updates)},
            {"name", record.name},
            {"health", HealthOf(updates)},
            {"latest_updates", LatestToJson(updates)},
            {"creator_user_name", record.creator},
            {"run_as_user_name", record.run_as.empty() ? record.creator : record.run_as}};
  if (!whole) return json;
  json["spec"] = ParseJsonOrThrow<Json>(record.spec);
  json["last_modified"] = record.modified_at;
  // Source: told only where it was said.
  FRESHET_TRY(auto runner, context.principals->Find(record.run_as));
  bool service = runner && runner->kind == catalog::PrincipalKind::kService;
  if (!record.run_as.empty())
    json["run_as"] = {{service ? "service_principal_name" : "user_name", record.run_as}};
  if (record.parameters != "{}") json["parameters"] = ParseJsonOrThrow<Json>(record.parameters);
  return json;
}

Status TellUser(const Context& context, const PipelineRecord& record, std::string_view action,
                const Request& request) {
  pipeline::EventLog log(context.book, record, "");
  FRESHET_CHECK_OK(context.book->AddEvent(log.UserAction(action, request.user.name)));
  auto unused = log.UnusedSettings();
  return unused ? context.book->AddEvent(*std::move(unused)) : Status::Ok();
}

/// Add it with what is there before its first update, or nothing. It is closed until then: nobody
/// begins to publish for one that may come to nothing.
Status AddPipeline(const Context& context, const AuthoredPipeline& authored,
                   PipelineRecord* record) {
  FRESHET_CHECK_OK(CheckAuthored(context, authored));
  const auto& id = authored.record.id;
  context.book->Close(id);
  auto add = [&]() -> Status {
    FRESHET_TRY(*record, context.book->Add(authored.record, authored.allow_duplicate_names));
    auto deployed = Deploy(context, *record, authored);
    if (!deployed.ok()) FRESHET_CHECK_OK(context.book->Remove(id));
    return deployed;
  };
  auto added = add();
  context.book->Reopen(id);
  return added;
}

Result<Json> CreatePipeline(const Context& context, const Request& request) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  FRESHET_TRY(auto authored, ReadPipeline(body, RandomUuid(), request.user.name));
  if (authored.dry_run) {
    FRESHET_CHECK_OK(CheckAuthored(context, authored));
    auto settings = ParseJsonOrThrow<Json>(authored.record.spec);
    settings.erase("id");
    return Json{{"effective_settings", settings}};
  }
  PipelineRecord record;
  FRESHET_CHECK_OK(context.book->Author([&] { return AddPipeline(context, authored, &record); }));
  FRESHET_CHECK_OK(context.permissions->Set(
      PermissionObjectOf(record), {{.principal = request.user.id, .level = "IS_OWNER"}}, true));
  FRESHET_CHECK_OK(TellUser(context, record, "CREATE", request));
  if (record.continuous)
    FRESHET_CHECK_OK(BeginUpdate(context, record, "API_CALL", "{}", request.user.name));
  return Json{{"pipeline_id", record.id}};
}

Result<Json> GetPipeline(const Context& context, const Request& request) {
  FRESHET_TRY(auto record, context.book->Get(request.part("id")));
  return PipelineToJson(context, record, true);
}

Result<Json> EditPipeline(const Context& context, const Request& request) {
  FRESHET_TRY(auto former, context.book->Get(request.part("id")));
  FRESHET_TRY(auto body, ParseBody(request.body));
  FRESHET_TRY(auto authored, ReadPipeline(body, former.id, request.user.name));
  // Who may not say whom it runs as does not take it from whom it runs as either.
  if (authored.record.run_as.empty()) authored.record.run_as = former.run_as;
  auto edited = context.book->Author([&]() -> Status {
    FRESHET_CHECK_OK(CheckAuthored(context, authored));
    FRESHET_CHECK_OK(CheckEdit(context, former, authored));
    FRESHET_CHECK_OK(context.book->Edit(authored.record, authored.allow_duplicate_names,
                                        authored.expected_last_modified));
    // What is edited stays so: whoever publishes tries this again, and tells.
    auto made = DeployEventLog(context, authored.record, authored);
    if (!made.ok()) spdlog::warn("pipeline={} {}", former.id, made.ToString());
    return Status::Ok();
  });
  FRESHET_CHECK_OK(edited);
  FRESHET_CHECK_OK(TellUser(context, authored.record, "EDIT", request));
  FRESHET_TRY(auto active, context.book->Active(former.id));
  if (authored.record.continuous && !active)
    FRESHET_CHECK_OK(BeginUpdate(context, authored.record, "API_CALL", "{}", request.user.name));
  return Json::object();
}

Json LeftToJson(const std::vector<Status>& left) {
  auto list = Json::array();
  for (const auto& why : left) {
    list.push_back({{"error_class", NameOf(why.error_class())},
                    {"message", why.ToString()},
                    {"remedy", why.remedy()}});
  }
  return list;
}

Result<Response> DropPipeline(const Context& context, const Request& request) {
  FRESHET_TRY(auto record, context.book->Get(request.part("id")));
  pipeline::Deletion how;
  FRESHET_TRY(how.cascade, request.FlagParameter("cascade", true));
  FRESHET_TRY(how.force, request.FlagParameter("force", false));
  FRESHET_TRY(auto deleted,
              pipeline::DeletePipeline(*context.update_parts, *context.runner, record, how));
  if (!deleted.done) {
    return ComeAgain(limits::kDeletionAgain.count(),
                     fmt::format("the pipeline is being deleted: {}", record.id));
  }
  FRESHET_CHECK_OK(context.permissions->Remove(PermissionObjectOf(record)));
  auto json = Json::object();
  // Not published, and there only where somebody said to go on whatever fails.
  if (!deleted.left.empty()) json["left_behind"] = LeftToJson(deleted.left);
  return Response{.body = JsonText(json)};
}

Status ReadOrder(const std::string& text, pipeline::PipelineBook::ListRequest* list) {
  if (text.empty()) return Status::Ok();
  auto blank = text.find(' ');
  auto field = text.substr(0, blank);
  auto way = blank == std::string::npos ? "asc" : catalog::Lower(text.substr(blank + 1));
  if ((field != "name" && field != "id") || (way != "asc" && way != "desc"))
    return Error(ErrorClass::INVALID_ARGUMENT, "order_by is not name or id, asc or desc: '{}'",
                 text);
  list->by_name = field == "name";
  list->descending = way == "desc";
  return Status::Ok();
}

/// By what the page ended with, and not by how many came before: one that is deleted between two
/// pages would hide another. An id holds no '/'.
std::string PageTokenOf(const PipelineRecord& last) { return last.id + "/" + last.name; }

Status ReadPageToken(const std::string& token, pipeline::PipelineBook::ListRequest* list) {
  if (token.empty()) return Status::Ok();
  auto slash = token.find('/');
  if (slash == 0 || slash == std::string::npos)
    return Error(ErrorClass::INVALID_ARGUMENT, "page_token is of no list: '{}'", token);
  list->after_id = token.substr(0, slash);
  list->after_name = token.substr(slash + 1);
  return Status::Ok();
}

Result<Json> ListPipelines(const Context& context, const Request& request) {
  pipeline::PipelineBook::ListRequest list;
  FRESHET_TRY(list.like, ParseNameFilter(request.parameter("filter")));
  FRESHET_CHECK_OK(ReadOrder(request.parameter("order_by"), &list));
  FRESHET_TRY(auto rows, request.NumberParameter("max_results", 0));
  FRESHET_CHECK_OK(ReadPageToken(request.parameter("page_token"), &list));
  if (rows > kListRowsMax) {
    return Error(ErrorClass::INVALID_ARGUMENT, "max_results is more than {}: {}", kListRowsMax,
                 rows);
  }
  if (rows == 0) rows = kListRows;
  list.rows = rows + 1;
  FRESHET_TRY(auto records, context.book->List(list));
  bool more = static_cast<int64_t>(records.size()) > rows;
  if (more) records.pop_back();
  auto statuses = Json::array();
  for (const auto& record : records) {
    FRESHET_TRY(auto hidden, CheckPipeline(context, request.user, record, "CAN_VIEW"));
    if (hidden) continue;
    FRESHET_TRY(auto each, PipelineToJson(context, record, false));
    statuses.push_back(std::move(each));
  }
  Json json{{"statuses", statuses}};
  if (more) json["next_page_token"] = PageTokenOf(records.back());
  return json;
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
PipelineState = "DEPLOYING" | "STARTING" | "RUNNING" | "STOPPING" | "DELETED" | "RECOVERING" | "FAILED" | "RESETTING" | "IDLE"
UpdateState = "QUEUED" | "CREATED" | "WAITING_FOR_RESOURCES" | "INITIALIZING" | "RESETTING" | "SETTING_UP_TABLES"
  | "RUNNING" | "STOPPING" | "COMPLETED" | "FAILED" | "CANCELED"
RunAs = {user_name?: text, service_principal_name?: text, group_name?: unbuilt}

QueryBasedConfig = {cursor_columns?: [text], deletion_condition?: text,
  hard_deletion_sync_min_interval_in_seconds?: count, late_commit_window?: count, hard_deletion_max_fraction?: real}
TableConfiguration = {scd_type?: "SCD_TYPE_1" | "SCD_TYPE_2" | "APPEND_ONLY", sequence_by?: text | [text],
  soft_delete?: flag, auto_full_refresh_policy?: {enabled: flag, min_interval_hours?: count},
  on_schema_change?: "evolve" | "pause" | "ignore", drop_inactive_columns?: flag, table_properties?: {*: text},
  include_columns?: [text], exclude_columns?: [text], primary_keys?: [text],
  query_based_connector_config?: QueryBasedConfig, cursor_columns?: [text], cursor_column?: text,
  deletion_condition?: text, enable_auto_clustering?: flag, salesforce_include_formula_fields?: flag,
  row_filter?: unbuilt, clustering_columns?: unbuilt, source_metadata_column?: unbuilt,
  workday_report_parameters?: unbuilt}
TableObject = {source_catalog: text, source_schema: text, source_table: text, destination_catalog: text,
  destination_schema: text, destination_table?: text, table_configuration?: TableConfiguration,
  connector_options?: unbuilt}
SchemaObject = {source_catalog: text, source_schema: text, destination_catalog: text, destination_schema: text,
  table_configuration?: TableConfiguration, connector_options?: unbuilt, fanout_options?: unbuilt}
SourceConfiguration = {catalog?: {source_catalog?: text, postgres?: {type_mapping?: "lossless" | "databricks",
    slot_config?: {slot_name?: text, publication_name?: text}}},
  google_ads_config?: unbuilt, api_source_connector_config?: unbuilt}
IngestionDefinition = {connection_name?: text, ingestion_gateway_id?: text, connector_type?: "CDC" | "QUERY_BASED",
  objects: [{table?: TableObject, schema?: SchemaObject, report?: unbuilt}],
  source_configurations?: [SourceConfiguration], table_configuration?: TableConfiguration,
  profile?: "portable" | "full" | "classic", source_type?: "POSTGRESQL", ingest_from_uc_foreign_catalog?: flag,
  data_staging_options?: unbuilt, full_refresh_window?: unbuilt, netsuite_jar_path?: unbuilt}
GatewayDefinition = {connection_name: text, connection_id?: text, gateway_storage_catalog: text,
  gateway_storage_schema: text, gateway_storage_name?: text, connection_parameters?: {source_catalog?: text}}

RestartWindow = {start_hour: count, days_of_week?: [text], time_zone_id?: text}
EventLog = {catalog?: text, schema?: text, name?: text}

# What is of type `any` is kept and told.
PipelineSpec = {name: text, catalog?: text, schema?: text, target?: text, continuous?: flag,
  ingestion_definition?: IngestionDefinition, gateway_definition?: GatewayDefinition,
  budget_policy_id?: any, channel?: any, clusters?: any, configuration?: {*: text}, deployment?: any, development?: any,
  edition?: any, id?: any, parent_path?: any, photon?: any, pipeline_type?: any, root_path?: any, serverless?: any,
  serverless_compute_id?: any, storage?: any, tags?: {*: text}, usage_policy_id?: any,
  environment?: unbuilt, event_log?: EventLog, filters?: unbuilt, libraries?: unbuilt, notifications?: unbuilt,
  restart_window?: RestartWindow, trigger?: unbuilt}
SentPipeline = {...PipelineSpec, allow_duplicate_names?: flag, dry_run?: flag, expected_last_modified?: number,
  parameters?: {*: text}, pipeline_id?: text, run_as?: RunAs}
PipelineStatus = {pipeline_id: text, name: text, state: PipelineState, health: "HEALTHY" | "UNHEALTHY",
  latest_updates: [{update_id: text, state: UpdateState, creation_time: moment}], creator_user_name: text,
  run_as_user_name: text}
Pipeline = {...PipelineStatus, spec: PipelineSpec, last_modified: number, run_as?: RunAs, parameters?: {*: text}}

pipelines.create(SentPipeline): {pipeline_id?: text, effective_settings?: PipelineSpec} -- Makes a pipeline, or tells what it would be (dry_run).
pipelines.list_pipelines(filter?: text, max_results?: count, order_by?: text, page_token?: text):
  {statuses: [PipelineStatus], ...Page} -- Lists pipelines.
pipelines.get(): Pipeline -- Tells of a pipeline.
pipelines.update(SentPipeline): {} -- Replaces what is said of a pipeline.
pipelines.delete(cascade?: flag, force?: flag):
  {left_behind?: [{error_class: text, message: text, remedy: text}]} -- Removes a pipeline, and its tables unless cascade=false.
)";

}  // namespace

void AddPipelines(const Context& context, Router* router) {
  router->Describe(kDescription);
  constexpr std::string_view kAll = "/api/2.0/pipelines", kOne = "/api/2.0/pipelines/{id}";
  const RouteAdder add(context, router);
  add("POST", kAll, "pipelines.create", Rule::Of(MayAuthor), CreatePipeline);
  add("GET", kAll, "pipelines.list_pipelines", Rule::Anyone(), ListPipelines);
  add("GET", kOne, "pipelines.get", Rule::OnPipeline("CAN_VIEW"), GetPipeline);
  add("PUT", kOne, "pipelines.update", Rule::OnPipeline("CAN_MANAGE").And(MayAuthor), EditPipeline);
  add.Visiting("DELETE", kOne, "pipelines.delete", Rule::OnPipeline("CAN_MANAGE"), DropPipeline);
}

}  // namespace freshet::api
