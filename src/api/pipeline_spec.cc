// SPDX-License-Identifier: Apache-2.0
#include "api/pipeline_spec.h"

#include <algorithm>

#include "base/server_limits.h"
#include "pipeline/configuration.h"
#include "pipeline/restart_window.h"

namespace freshet::api {
namespace {

/// Sent, and no part of `spec`.
constexpr const char* kNotOfSpec[] = {
    "allow_duplicate_names", "dry_run", "expected_last_modified", "parameters",
    "pipeline_id",           "run_as"};

/// Of a pipeline that no class of machine is chosen for: kept and told, and nothing follows from
/// them. Documented in docs/guide/server.md.
void TakeRecorded(Fields* fields) {
  fields->Ignore({"budget_policy_id", "channel", "clusters", "deployment", "development", "edition",
                  "id", "parent_path", "photon", "pipeline_type", "root_path", "serverless",
                  "serverless_compute_id", "storage", "usage_policy_id"});
}

/// Of UTF-8.
size_t CharactersOf(const std::string& text) {
  constexpr int kMask = 0xC0, kContinues = 0x80;
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & kMask) != kContinues; }));
}

void RefuseUnbuilt(Fields* fields) {
  fields->NotBuilt({"environment", "filters", "libraries", "notifications", "trigger"});
}

/// What people note with it: kept and told.
void TakeNotes(Fields* fields, pipeline::PipelineRecord* record) {
  auto tags = fields->Texts("tags");
  if (tags && tags->size() > limits::kTagsMax)
    fields->Fail("tags", fmt::format("are more than {}", limits::kTagsMax));
  auto parameters = JsonText(ToJson(fields->Texts("parameters").value_or(catalog::Texts())));
  if (CharactersOf(parameters) > limits::kParametersMax)
    fields->Fail("parameters", fmt::format("have more than {} characters", limits::kParametersMax));
  record->parameters = std::move(parameters);
}

/// Whether there is such a principal, and who may say it, is the rule's to know. Nothing is kept,
/// and so nothing told, where nothing was said.
Status TakeRunAs(const Json* run_as, pipeline::PipelineRecord* record) {
  if (run_as == nullptr) return Status::Ok();
  Fields fields(*run_as, "run_as");
  auto user = fields.Text("user_name"), service = fields.Text("service_principal_name");
  fields.NotBuilt({"group_name"});
  if (user && service) fields.Fail("user_name", "is given beside service_principal_name");
  record->run_as = user ? *user : service.value_or("");
  return fields.Finish();
}

/// Its fields; what they come to is read with the pipeline's own.
Status CheckEventLog(const Json* event_log) {
  if (event_log == nullptr) return Status::Ok();
  Fields fields(*event_log, "event_log");
  for (const auto* name : {"catalog", "schema", "name"}) fields.Text(name);
  return fields.Finish();
}

/// Its fields; what they say is the window's to read.
Status CheckRestartWindow(const Json* window) {
  if (window == nullptr) return Status::Ok();
  Fields fields(*window, "restart_window");
  fields.Ignore({"days_of_week", "start_hour", "time_zone_id"});
  return fields.Finish();
}

Json SpecOf(const Json& body, const AuthoredPipeline& authored, bool placed) {
  auto spec = body;
  const auto& id = authored.record.id;
  for (const auto* name : kNotOfSpec) spec.erase(name);
  spec["id"] = id;
  // Source: what the published server fills in.
  if (!placed) spec["storage"] = "dbfs:/pipelines/" + id;
  if (!authored.events) return spec;
  auto& events = spec["event_log"];
  for (const auto& [name, value] : {std::pair("catalog", authored.events->place.catalog),
                                    std::pair("schema", authored.events->place.schema)}) {
    if (!events.contains(name) || events[name].is_null()) events[name] = value;
  }
  return spec;
}

}  // namespace

Result<AuthoredPipeline> ReadPipeline(const Json& body, const std::string& id,
                                      const std::string& caller) {
  AuthoredPipeline authored;
  auto& record = authored.record;
  Fields fields(body);
  record.id = id;
  record.creator = caller;
  record.name = fields.Required("name");
  if (record.name.size() > limits::kNameBytesMax)
    fields.Fail("name", fmt::format("is longer than {} bytes", limits::kNameBytesMax));
  record.continuous = fields.Flag("continuous").value_or(false);
  authored.dry_run = fields.Flag("dry_run").value_or(false);
  authored.allow_duplicate_names = fields.Flag("allow_duplicate_names").value_or(false);
  authored.expected_last_modified = fields.Number("expected_last_modified").value_or(0);
  auto catalog = fields.Text("catalog"), schema = fields.Text("schema"),
       target = fields.Text("target");
  if (schema && target) fields.Fail("target", "is the former name of schema, which is given too");
  auto sent_id = fields.Text("pipeline_id");
  if (sent_id && *sent_id != id) fields.Fail("pipeline_id", "is another pipeline's");
  FRESHET_CHECK_OK(TakeRunAs(fields.Object("run_as"), &record));
  TakeNotes(&fields, &record);
  fields.Texts("configuration");
  TakeRecorded(&fields);
  RefuseUnbuilt(&fields);
  FRESHET_CHECK_OK(CheckEventLog(fields.Object("event_log")));
  const auto* window = fields.Object("restart_window");
  FRESHET_CHECK_OK(CheckRestartWindow(window));
  const auto* definition = fields.Object("ingestion_definition");
  const auto* gateway = fields.Object("gateway_definition");
  if (definition == nullptr && gateway == nullptr)
    fields.Fail("ingestion_definition",
                "is missing, and so is gateway_definition: this version has no other pipelines");
  if (definition != nullptr && gateway != nullptr)
    fields.Fail("gateway_definition", "is given beside ingestion_definition: a pipeline has one");
  FRESHET_CHECK_OK(fields.Finish());
  if (body.contains("configuration") && !body["configuration"].is_null()) {
    FRESHET_CHECK_OK(
        pipeline::ReadConfiguration(JsonText(body["configuration"]), gateway != nullptr));
  }
  if (window != nullptr) FRESHET_CHECK_OK(pipeline::ReadRestartWindow(JsonText(*window)));
  if (gateway != nullptr) {
    FRESHET_TRY(authored.gateway, pipeline::ReadGateway(JsonText(*gateway), id));
  } else {
    FRESHET_TRY(authored.definition, pipeline::ReadDefinition(JsonText(*definition)));
  }
  FRESHET_TRY(authored.events, pipeline::EventTargetOf(JsonText(body), id));
  bool placed = catalog.has_value() || body.contains("storage");
  record.spec = JsonText(SpecOf(body, authored, placed));
  return authored;
}

}  // namespace freshet::api
