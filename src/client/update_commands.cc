// SPDX-License-Identifier: Apache-2.0
// Updates of pipelines and their events. Source: the published Pipelines API, 2.0.
#include "client/command.h"

namespace freshet::client {
namespace {

using Kind = Argument::Kind;
using Place = Argument::Place;
using Shape = Command::Shape;

constexpr char kUpdates[] = "/api/2.0/pipelines/{id}/updates",
               kEvents[] = "/api/2.0/pipelines/{id}/events",
               kLogs[] = "/api/2.0/pipelines/{id}/logs";

Argument Tables(std::string name, std::string field, std::string meaning) {
  auto argument = InBody(std::move(name), std::move(field), "TABLES", std::move(meaning));
  argument.kind = Kind::kList;
  return argument;
}

/// Read by the command itself.
Argument OfEvents(std::string name, std::string value_name, std::string meaning) {
  return {
      .name = std::move(name), .meaning = std::move(meaning), .value_name = std::move(value_name)};
}

Command Start() {
  return {.resource = "pipelines",
          .verb = "start-update",
          .summary = "begin an update: bring the tables up to what is committed by now",
          .method = "POST",
          .path = kUpdates,
          .arguments = {ThePipeline(),
                        Flag(Place::kBody, "--full-refresh", "full_refresh",
                             "read all tables again; they stay readable meanwhile"),
                        Tables("--full-refresh-selection", "full_refresh_selection",
                               "read these again (separated by commas)"),
                        Tables("--refresh-selection", "refresh_selection",
                               "only these (separated by commas)"),
                        Flag(Place::kBody, "--validate-only", "validate_only",
                             "only look whether it could"),
                        Flag(Place::kHere, "--wait", "", "watch it until it ends")},
          .example = "freshet pipelines start-update ingest --wait",
          .action = Command::Action::kStart};
}

Command Events() {
  auto level = OfEvents("--level", "LEVEL", "only of this level");
  level.values = {"INFO", "WARN", "ERROR", "METRICS"};
  return {.resource = "pipelines",
          .verb = "list-pipeline-events",
          .summary = "the event log, the newest first",
          .method = "GET",
          .path = kEvents,
          .arguments = {ThePipeline(),
                        InQuery("--filter", "filter", "FILTER",
                                "conditions on level, event_type, update_id, id and timestamp, "
                                "joined by AND"),
                        InQuery("--order-by", "order_by", "ORDER", "timestamp asc or desc"), level,
                        OfEvents("--update", "ID", "only of this update"), Limit()},
          .shape = Shape::kList,
          .items = "events",
          .columns = {{"TIMESTAMP", "timestamp"},
                      {"LEVEL", "level"},
                      {"TYPE", "event_type"},
                      {"MESSAGE", "message"}},
          .example = "freshet pipelines events ingest --level ERROR --limit 10",
          .aliases = {"events"}};
}

}  // namespace

std::vector<Command> UpdateCommands() {
  return {
      Start(),
      {.resource = "pipelines",
       .verb = "watch",
       .summary = "show how an update goes on, until it ends; the exit code says how it did",
       .arguments = {ThePipeline(), OfEvents("--update", "ID", "this one, instead of the latest")},
       .example = "freshet pipelines watch ingest",
       .action = Command::Action::kWatch},
      {.resource = "pipelines",
       .verb = "stop",
       .summary = "end the update that runs; what it has done stays done",
       .method = "POST",
       .path = "/api/2.0/pipelines/{id}/stop",
       .arguments = {ThePipeline()},
       .example = "freshet pipelines stop ingest",
       .done = "stopping"},
      {.resource = "pipelines",
       .verb = "list-updates",
       .summary = "the updates, the newest first",
       .method = "GET",
       .path = kUpdates,
       .arguments = {ThePipeline(),
                     InQuery("--until-update-id", "until_update_id", "ID", "from this one back"),
                     Limit()},
       .shape = Shape::kList,
       .items = "updates",
       .columns = {{"UPDATE ID", "update_id"},
                   {"STATE", "state"},
                   {"CAUSE", "cause"},
                   {"BEGUN", "creation_time"},
                   {"FULL REFRESH", "full_refresh"}},
       .example = "freshet pipelines list-updates ingest --limit 5"},
      {.resource = "pipelines",
       .verb = "get-update",
       .summary = "one update",
       .method = "GET",
       .path = "/api/2.0/pipelines/{id}/updates/{update_id}",
       .arguments = {ThePipeline(), InPath("UPDATE", "update_id", "its id")},
       .items = "update",
       .example = "freshet pipelines get-update ingest 5e2c…"},
      Events(),
      {.resource = "pipelines",
       .verb = "list-logs",
       .summary = "the logs of its runs and their processes, what was written to last first",
       .method = "GET",
       .path = kLogs,
       .arguments = {ThePipeline(), InQuery("--update", "update_id", "ID", "only of this update"),
                     Limit()},
       .shape = Shape::kList,
       .items = "logs",
       .columns = {{"NAME", "name"},
                   {"PROCESS", "worker"},
                   {"UPDATE ID", "update_id"},
                   {"BYTES", "file_size"},
                   {"WRITTEN", "last_modified"}},
       .example = "freshet pipelines list-logs ingest"},
      {.resource = "pipelines",
       .verb = "logs",
       .summary = "the end of a log: of the one that was written to last, or that is named",
       .arguments = {ThePipeline(), OfEvents("--name", "NAME", "this one, as list-logs names it"),
                     OfEvents("--update", "ID", "of this update"),
                     Flag(Place::kHere, "--follow", "",
                          "also what is written from now on, until the update ends")},
       .example = "freshet pipelines logs ingest --follow",
       .action = Command::Action::kLogs},
  };
}

}  // namespace freshet::client
