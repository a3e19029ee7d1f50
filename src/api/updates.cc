// SPDX-License-Identifier: Apache-2.0
// Updates and events of pipelines. Source: the published Pipelines API, 2.0.
#include "api/updates.h"

#include "api/event_filter.h"
#include "api/pipeline_access.h"
#include "pipeline/display.h"
#include "pipeline/event_log.h"
#include "pipeline/update_runner.h"

namespace freshet::api {
namespace {

using pipeline::PipelineRecord;
using pipeline::UpdateRecord;

constexpr int64_t kUpdateRows = 25, kEventRows = 250, kRowsMax = 1000;

Json UpdateToJson(const UpdateRecord& update, const PipelineRecord& record, bool whole) {
  Json json{{"pipeline_id", update.pipeline},
            {"update_id", update.id},
            {"state", pipeline::NameOf(update.state)},
            {"cause", update.cause},
            {"creation_time", update.created_at},
            {"mode", record.continuous || pipeline::IsGateway(record) ? "CONTINUOUS" : "DEFAULT"}};
  auto request = ParseJson<Json>(update.request);
  for (const auto* name :
       {"full_refresh", "validate_only", "full_refresh_selection", "refresh_selection"}) {
    if (request.is_object() && request.contains(name) && !request[name].is_null())
      json[name] = request[name];
  }
  if (whole) json["config"] = ParseJsonOrThrow<Json>(record.spec);
  return json;
}

Result<int64_t> RowsOf(const Request& request, int64_t standard) {
  FRESHET_TRY(auto rows, request.NumberParameter("max_results", 0));
  return rows == 0 ? standard : std::min(rows, kRowsMax);
}

/// An update of what is not there would do nothing, and nobody would know. Tables of a whole schema
/// are known once they were ingested.
Status CheckSelection(const Context& context, const PipelineRecord& record,
                      const pipeline::UpdateRequest& request) {
  if (pipeline::IsGateway(record)) {
    if (!request.full_refresh && !request.selects()) return Status::Ok();
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "{}: a gateway has no tables of its own; those of its pipelines are read again by "
                 "updates of these",
                 request.refresh_selection.empty() ? "full_refresh" : "refresh_selection");
  }
  if (request.full_refresh && request.selects()) {
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "full_refresh, which reads all tables again, is given beside a selection of them")
        .WithRemedy("Say full_refresh, or name the tables in full_refresh_selection.");
  }
  if (record.continuous && !request.refresh_selection.empty()) {
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "refresh_selection: an update of a continuous pipeline follows all its tables")
        .WithRemedy("Leave it out. full_refresh_selection says which are read again.");
  }
  FRESHET_TRY(auto definition, pipeline::DefinitionOf(record));
  FRESHET_TRY(auto tables, context.catalog->TablesOf(record.id));
  return pipeline::SelectionOf(definition, tables, request).status();
}

/// Read who says that it is to begin; the rest of the body is what is kept of the update.
Result<std::string> ReadCause(const Json& body) {
  Fields fields(body);
  auto cause = fields.Text("cause").value_or("API_CALL");
  if (cause != "API_CALL" && cause != "JOB_TASK" && cause != "USER_ACTION")
    fields.Fail("cause", "is not one that a client may say: '" + cause + "'");
  for (const auto* name : {"full_refresh", "validate_only"}) fields.Flag(name);
  for (const auto* name : {"full_refresh_selection", "refresh_selection"}) fields.List(name);
  fields.Ignore({"development"});
  fields.NotBuilt({"full_refresh_selection_by_path", "parameters", "refresh_selection_by_path",
                   "replace_where_overrides", "reset_checkpoint_selection", "rewind_spec"});
  FRESHET_CHECK_OK(fields.Finish());
  return cause;
}

Result<Json> StartUpdate(const Context& context, const Request& request) {
  FRESHET_TRY(auto record, context.book->Get(request.part("id")));
  FRESHET_TRY(auto body, ParseBody(request.body));
  FRESHET_TRY(auto cause, ReadCause(body));
  FRESHET_TRY(auto asked, pipeline::ReadUpdateRequest(JsonText(body)));
  FRESHET_CHECK_OK(CheckSelection(context, record, asked));
  FRESHET_TRY(auto update, BeginUpdate(context, record, cause, JsonText(body), request.user.name));
  return Json{{"update_id", update.id}};
}

Result<Json> GetUpdate(const Context& context, const Request& request) {
  FRESHET_TRY(auto record, context.book->Get(request.part("id")));
  FRESHET_TRY(auto update, context.book->GetUpdate(record.id, request.part("update_id")));
  return Json{{"update", UpdateToJson(update, record, true)}};
}

Result<Json> ListUpdates(const Context& context, const Request& request) {
  FRESHET_TRY(auto record, context.book->Get(request.part("id")));
  FRESHET_TRY(auto rows, RowsOf(request, kUpdateRows));
  FRESHET_TRY(auto before, request.PageNumber());
  if (auto until = request.parameter("until_update_id"); !until.empty() && before == 0) {
    FRESHET_TRY(auto last, context.book->GetUpdate(record.id, until));
    before = last.number + 1;
  }
  FRESHET_TRY(auto updates, context.book->Updates(record.id, rows + 1, before));
  bool more = static_cast<int64_t>(updates.size()) > rows;
  if (more) updates.pop_back();
  auto list = Json::array();
  for (const auto& update : updates) list.push_back(UpdateToJson(update, record, false));
  Json json{{"updates", list}};
  if (more) json["next_page_token"] = std::to_string(updates.back().number);
  return json;
}

Result<Json> StopPipeline(const Context& context, const Request& request) {
  FRESHET_TRY(auto record, context.book->Get(request.part("id")));
  pipeline::EventLog log(context.book, record, "");
  FRESHET_CHECK_OK(context.book->AddEvent(log.UserAction("STOP", request.user.name)));
  FRESHET_CHECK_OK(context.runner->Stop(record.id));
  return Json::object();
}

Json EventToJson(const pipeline::EventRecord& event) {
  Json json{{"id", event.id},
            {"sequence", {{"control_plane_seq_no", event.number}}},
            {"origin", ParseJsonOrThrow<Json>(event.origin)},
            {"timestamp", event.at},
            {"message", event.message},
            {"level", event.level},
            {"maturity_level", pipeline::kMaturityLevel},
            {"event_type", event.type}};
  if (!event.error.empty()) json["error"] = ParseJsonOrThrow<Json>(event.error);
  if (!event.details.empty()) json["details"] = ParseJsonOrThrow<Json>(event.details);
  return json;
}

Result<Json> ListEvents(const Context& context, const Request& request) {
  FRESHET_TRY(auto record, context.book->Get(request.part("id")));
  pipeline::EventRequest events;
  FRESHET_TRY(events.conditions, ParseEventFilter(request.parameter("filter")));
  auto order = catalog::Lower(request.parameter("order_by"));
  events.oldest_first = order == "timestamp asc";
  if (!order.empty() && !events.oldest_first && order != "timestamp desc")
    return Error(ErrorClass::INVALID_ARGUMENT, "order_by is not timestamp, asc or desc: '{}'",
                 order);
  FRESHET_TRY(auto rows, RowsOf(request, kEventRows));
  FRESHET_TRY(events.after, request.PageNumber());
  events.rows = rows + 1;
  FRESHET_TRY(auto found, context.book->Events(record.id, events));
  bool more = static_cast<int64_t>(found.size()) > rows;
  if (more) found.pop_back();
  auto list = Json::array();
  for (const auto& event : found) list.push_back(EventToJson(event));
  Json json{{"events", list}};
  if (more) json["next_page_token"] = std::to_string(found.back().number);
  return json;
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
Update = {pipeline_id: text, update_id: text, state: UpdateState, cause: text, creation_time: number,
  mode: "DEFAULT" | "CONTINUOUS", full_refresh?: flag, validate_only?: flag, full_refresh_selection?: [text],
  refresh_selection?: [text], config?: PipelineSpec}
UpdateRequest = {cause?: "API_CALL" | "JOB_TASK" | "USER_ACTION", full_refresh?: flag, validate_only?: flag,
  full_refresh_selection?: [text], refresh_selection?: [text], development?: any, reset_checkpoint_selection?: unbuilt,
  parameters?: unbuilt, replace_where_overrides?: unbuilt, rewind_spec?: unbuilt, refresh_selection_by_path?: unbuilt,
  full_refresh_selection_by_path?: unbuilt}
Event = {id: text, sequence: {control_plane_seq_no: number}, origin: {*: any}, timestamp: moment, message: text,
  level: "INFO" | "WARN" | "ERROR" | "METRICS", maturity_level: text, event_type: text, details?: {*: any},
  error?: {fatal: flag, exceptions: [{class_name: text, message: text, error_class: text}]}}

pipelines.start_update(UpdateRequest): {update_id: text} -- Begins an update.
pipelines.list_updates(max_results?: count, page_token?: text, until_update_id?: text): {updates: [Update], ...Page} -- Lists a pipeline's updates, the newest first.
pipelines.get_update(): {update: Update} -- Tells of an update.
pipelines.stop(): {} -- Stops the update that is active, if one is.
pipelines.list_pipeline_events(filter?: text, max_results?: count, order_by?: text, page_token?: text): {events: [Event], ...Page} -- Lists what happened, the newest first.
)";

}  // namespace

std::string TimeText(int64_t milliseconds) {
  auto text = pipeline::Timestamp(milliseconds * 1000);
  constexpr size_t kMicrosDigits = 3;
  return text.erase(text.size() - 1 - kMicrosDigits, kMicrosDigits);
}

Result<UpdateRecord> BeginUpdate(const Context& context, const PipelineRecord& pipeline,
                                 std::string_view cause, const std::string& body,
                                 const std::string& user) {
  auto tell = [&](const UpdateRecord& begun) {
    pipeline::EventLog log(context.book, pipeline, begun.id);
    auto events = log.Begun(cause, body);
    events.insert(events.begin(), log.UserAction("START", user));
    return events;
  };
  FRESHET_TRY(auto update, context.book->Begin(pipeline.id, std::string(cause), body, tell));
  // Nothing may come in between: an update that is begun and in no thread would never end.
  context.runner->Submit(update);
  return update;
}

void AddUpdates(const Context& context, Router* router) {
  router->Describe(kDescription);
  constexpr std::string_view kUpdates = "/api/2.0/pipelines/{id}/updates";
  const RouteAdder add(context, router);
  add("POST", kUpdates, "pipelines.start_update", Rule::OnPipeline("CAN_RUN").And(MayStart),
      StartUpdate);
  add("GET", kUpdates, "pipelines.list_updates", Rule::OnPipeline("CAN_VIEW"), ListUpdates);
  add("GET", "/api/2.0/pipelines/{id}/updates/{update_id}", "pipelines.get_update",
      Rule::OnPipeline("CAN_VIEW"), GetUpdate);
  add("POST", "/api/2.0/pipelines/{id}/stop", "pipelines.stop", Rule::OnPipeline("CAN_RUN"),
      StopPipeline);
  add("GET", "/api/2.0/pipelines/{id}/events", "pipelines.list_pipeline_events",
      Rule::OnPipeline("CAN_VIEW"), ListEvents);
}

}  // namespace freshet::api
