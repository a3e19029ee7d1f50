// SPDX-License-Identifier: Apache-2.0
// Pipelines and gateways. Source: the published Pipelines API, 2.0, under the names of its own
// command line.
#include "client/command.h"

namespace freshet::client {
namespace {

using Place = Argument::Place;
using Shape = Command::Shape;

constexpr char kAll[] = "/api/2.0/pipelines", kOne[] = "/api/2.0/pipelines/{id}",
               kAccess[] = "/api/2.0/permissions/pipelines/{id}";

std::vector<Column> PipelineColumns() {
  return {{"name", "name"},
          {"pipeline_id", "pipeline_id"},
          {"state", "state"},
          {"health", "health"},
          {"latest_update", "latest_updates.0.update_id"},
          {"its_state", "latest_updates.0.state"},
          {"creator", "creator_user_name"},
          {"run_as", "run_as_user_name"},
          {"last_modified", "last_modified"},
          {"spec", "spec"}};
}

std::vector<Column> AccessColumns() {
  return {{"USER", "user_name"},
          {"GROUP", "group_name"},
          {"SERVICE PRINCIPAL", "service_principal_name"},
          {"PERMISSION", "all_permissions.0.permission_level"}};
}

Command AccessCommand(std::string verb, std::string method, std::string summary,
                      std::string example) {
  Command command{.resource = "pipelines",
                  .verb = std::move(verb),
                  .summary = std::move(summary),
                  .method = std::move(method),
                  .path = kAccess,
                  .arguments = {ThePipeline()},
                  .shape = Shape::kListIn,
                  .items = "access_control_list",
                  .columns = AccessColumns(),
                  .example = std::move(example)};
  if (command.method != "GET")
    command.arguments.push_back(WholeBody(true, "an object with an access_control_list"));
  return command;
}

Command Delete() {
  auto keep = Flag(Place::kQuery, "--keep-tables", "cascade",
                   "the tables stay with their data, for a gateway slot and publication too");
  keep.flag = "false";
  return {.resource = "pipelines",
          .verb = "delete",
          .summary = "delete a pipeline with its slot, publication, staging and tables",
          .method = "DELETE",
          .path = kOne,
          .arguments = {ThePipeline(), keep,
                        Flag(Place::kQuery, "--force", "force",
                             "go on with the rest where something cannot be removed")},
          .shape = Shape::kListIn,
          .items = "left_behind",
          .columns = {{"LEFT BEHIND", "error_class"}, {"WHY", "message"}, {"REMEDY", "remedy"}},
          .example = "freshet pipelines delete ingest --keep-tables",
          .done = "deleted"};
}

}  // namespace

std::vector<Command> PipelineCommands() {
  auto dry = Flag(Place::kBody, "--dry-run", "dry_run", "only check it");
  return {
      {.resource = "pipelines",
       .verb = "list",
       .summary = "the pipelines and gateways",
       .method = "GET",
       .path = kAll,
       .arguments = {InQuery("--filter", "filter", "FILTER", "name LIKE '%part%'"),
                     InQuery("--order-by", "order_by", "ORDER", "name or id, asc or desc"),
                     Limit()},
       .shape = Shape::kList,
       .items = "statuses",
       .columns = {{"NAME", "name"},
                   {"PIPELINE ID", "pipeline_id"},
                   {"STATE", "state"},
                   {"HEALTH", "health"},
                   {"LAST UPDATE", "latest_updates.0.state"},
                   {"BEGUN", "latest_updates.0.creation_time"}},
       .example = "freshet pipelines list --filter \"name LIKE 'shop%'\""},
      {.resource = "pipelines",
       .verb = "get",
       .summary = "one pipeline: its state and specification",
       .method = "GET",
       .path = kOne,
       .arguments = {ThePipeline()},
       .columns = PipelineColumns(),
       .example = "freshet pipelines get ingest --output json"},
      {.resource = "pipelines",
       .verb = "create",
       .summary = "make a pipeline or gateway",
       .method = "POST",
       .path = kAll,
       .arguments = {WholeBody(true, "its specification"),
                     InBody("--name", "name", "NAME", "instead of the specification's"), dry},
       .example = "freshet pipelines create --json @pipeline.json"},
      {.resource = "pipelines",
       .verb = "update",
       .summary = "give a pipeline another specification, as a whole",
       .method = "PUT",
       .path = kOne,
       .arguments = {ThePipeline(), WholeBody(true, "the new specification")},
       .example = "freshet pipelines update ingest --json @pipeline.json",
       .done = "updated"},
      Delete(),
      AccessCommand("get-permissions", "GET", "who may do what with a pipeline",
                    "freshet pipelines get-permissions ingest"),
      AccessCommand("set-permissions", "PUT", "say who may do what with a pipeline, as a whole",
                    "freshet pipelines set-permissions ingest --json @access.json"),
      AccessCommand("update-permissions", "PATCH", "let more people do something with a pipeline",
                    "freshet pipelines update-permissions ingest --json '{\"access_control_list\": "
                    "[{\"user_name\": \"ann\", \"permission_level\": \"CAN_VIEW\"}]}'"),
  };
}

}  // namespace freshet::client
