// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run_options.h"

#include "base/json.h"
#include "pipeline/event_line.h"
#include "pipeline/pattern_json.h"
#include "pipeline/worker_channel.h"

namespace freshet::pipeline {
namespace {

using Json = nlohmann::json;

constexpr char kStart[] = "start", kRefresh[] = "refresh", kRetry[] = "retry_ms",
               kHalves[] = "halves", kLeftOut[] = "left_out", kUpdate[] = "update";

Json LeftOutToJson(const IngestOptions& options) {
  auto list = Json::array();
  for (const auto& [table, why] : options.left_out) {
    record::Event event{"table_left_out", {{"schema", table.schema}, {"name", table.table}}};
    list.push_back(ToLine(WithStatus(std::move(event), why)));
  }
  return list;
}

Status TakeLeftOut(const Json& list, IngestOptions* options) {
  for (const auto& line : list) {
    FRESHET_TRY(auto event, EventFromLine(line.get<std::string>()));
    options->left_out.emplace_back(
        record::TableName{TextOf(event, "schema"), TextOf(event, "name")}, StatusOf(event));
  }
  return Status::Ok();
}

}  // namespace

void CaptureByQueries(const std::vector<CursorRule>& rules, SourceSettings* settings) {
  settings->parameters.emplace_back("freshet_cursor_rules", ToJson(rules));
}

Status CompleteSource(IngestOptions* options) {
  auto& source = options->source;
  const auto& spec = options->spec;
  bool postgres = source.connector == "postgres";
  source.type_mapping = spec.type_mapping;
  source.slot = spec.slot;
  source.slot_given = !spec.slot.empty();
  source.publication = spec.publication;
  source.publication_given = !spec.publication.empty();
  if (auto columns = ColumnRulesJson(spec.table_rules); !columns.empty()) {
    if (!postgres) {
      return Error(ErrorClass::UNSUPPORTED_FIELD, "columns of this source cannot be selected yet")
          .WithRemedy("Leave include_columns and exclude_columns out.");
    }
    source.parameters.emplace_back("freshet_columns", columns);
  }
  if (!spec.query_based) return Status::Ok();
  if (!postgres || source.slot_given || source.publication_given) {
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "capture by queries is of PostgreSQL, and has no slot and no publication");
  }
  CaptureByQueries(spec.cursor_rules, &source);
  return Status::Ok();
}

std::string ToLine(const IngestOptions& options) {
  auto start = ToLine(WorkerStart{.destination = options.directory,
                                  .source = options.source,
                                  .continuous = options.continuous,
                                  .spec = options.spec,
                                  .pipeline = options.pipeline,
                                  .pipelines = options.pipelines,
                                  .revision = options.revision});
  Json line{{kStart, start},
            {kRefresh, PatternsToJson(options.refresh)},
            {kRetry, options.retry_for.count()},
            {kHalves, static_cast<int>(options.halves)},
            {kUpdate, options.update},
            {kLeftOut, LeftOutToJson(options)}};
  return JsonText(line) + "\n";
}

Result<IngestOptions> OptionsFromLine(std::string_view line) {
  auto json = ParseJson<Json>(line);
  if (!json.is_object() || !json.contains(kStart) || !json.contains(kRefresh) ||
      !json.contains(kRetry) || !json.contains(kHalves) || !json.contains(kLeftOut) ||
      !json.contains(kUpdate))
    return Error(ErrorClass::INVALID_ARGUMENT, "the first line is not a run's");
  FRESHET_TRY(auto start, WorkerStartFromLine(json[kStart].get<std::string>()));
  IngestOptions options;
  options.directory = start.destination;
  options.source = std::move(start.source);
  options.continuous = start.continuous;
  options.spec = std::move(start.spec);
  options.database = options.source.parameter("dbname");
  options.pipeline = std::move(start.pipeline);
  options.pipelines = std::move(start.pipelines);
  options.revision = start.revision;
  options.halves = static_cast<Halves>(json[kHalves].get<int>());
  options.update = json[kUpdate].get<std::string>();
  FRESHET_CHECK_OK(TakeLeftOut(json[kLeftOut], &options));
  options.retry_for = std::chrono::milliseconds(json[kRetry].get<int64_t>());
  FRESHET_TRY(options.refresh, PatternsFromJson(json[kRefresh]));
  return options;
}

}  // namespace freshet::pipeline
