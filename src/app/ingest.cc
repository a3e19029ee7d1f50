// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/source.h"
#include "base/log.h"
#include "delta/features.h"
#include "pipeline/run_options.h"
#include "pipeline/spec_reader.h"

namespace freshet::app {
namespace {

/// REQUIRES: checked when the command line was read.
std::chrono::seconds Seconds(const std::string& duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(ParseDuration(duration).value());
}

Result<pipeline::TableRule> RuleOf(const IngestArguments& arguments) {
  pipeline::TableRule rule;
  rule.include_columns = arguments.include_columns;
  rule.exclude_columns = arguments.exclude_columns;
  if (!arguments.on_schema_change.empty()) {
    FRESHET_TRY(rule.on_schema_change, pipeline::ParseOnSchemaChange(arguments.on_schema_change));
  }
  if (arguments.drop_inactive_columns) rule.drop_inactive_columns = true;
  if (arguments.change_data_feed) rule.properties[std::string(delta::kEnableFeed)] = "true";
  if (arguments.auto_refresh_hours)
    rule.refresh = {.enabled = true, .min_interval_hours = *arguments.auto_refresh_hours};
  return rule;
}

Status ReadSpecFile(const std::string& path, pipeline::PipelineSpec* spec) {
  if (path.empty()) return Status::Ok();
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(ErrorClass::INVALID_ARGUMENT, "cannot read the specification {}", path);
  std::stringstream text;
  text << file.rdbuf();
  return pipeline::ReadSpec(text.str(), path, spec);
}

/// What the options say of every table; checked when the command line was read.
pipeline::HistoryRule HistoryOf(const IngestArguments& arguments) {
  pipeline::HistoryRule rule;
  rule.scd_type = apply::ScdTypeOf(arguments.scd_type);
  if (!arguments.sequence_by.empty()) rule.sequence_by = arguments.sequence_by;
  if (arguments.soft_delete) rule.soft_delete = true;
  return rule;
}

Result<pipeline::PipelineSpec> SpecOf(const IngestArguments& arguments) {
  pipeline::PipelineSpec spec;
  spec.slot = arguments.slot;
  spec.publication = arguments.publication;
  spec.type_mapping = arguments.type_mapping;
  spec.profile = arguments.profile;
  if (!arguments.cursor_columns.empty()) {
    spec.query_based = true;
    spec.cursor_rules.emplace_back().cursor_columns = arguments.cursor_columns;
  }
  FRESHET_TRY(spec.tables, pipeline::ParsePatterns(arguments.tables));
  FRESHET_TRY(spec.excludes, pipeline::ParsePatterns(arguments.excludes));
  if (!arguments.staging_retention.empty())
    spec.staging.retention = Seconds(arguments.staging_retention);
  if (!arguments.staging_age_max.empty()) spec.staging.age_max = Seconds(arguments.staging_age_max);
  if (!arguments.staging_bytes_max.empty())
    spec.staging.bytes_max = ParseBytes(arguments.staging_bytes_max).value();
  if (!arguments.reread_interval.empty()) spec.reread_interval = Seconds(arguments.reread_interval);
  FRESHET_CHECK_OK(ReadSpecFile(arguments.spec_file, &spec));
  // After the file's: of two that are said for all tables the later one holds.
  FRESHET_TRY(auto rule, RuleOf(arguments));
  if (rule.given()) spec.table_rules.push_back(std::move(rule));
  auto history = HistoryOf(arguments);
  if (history.given()) spec.history_rules.push_back(std::move(history));
  return spec;
}

Result<pipeline::IngestOptions> OptionsOf(const IngestArguments& arguments) {
  pipeline::IngestOptions options;
  options.directory = arguments.directory;
  FRESHET_TRY(options.spec, SpecOf(arguments));
  FRESHET_TRY(auto source, ParseSource(arguments.source));
  options.source = std::move(source.settings);
  options.database = std::move(source.database);
  FRESHET_CHECK_OK(pipeline::CompleteSource(&options));
  FRESHET_TRY(options.refresh, pipeline::ParsePatterns(arguments.refresh));
  options.continuous = arguments.continuous;
  options.retry_for = arguments.retry_for;
  options.worker_program = {"/proc/self/exe", "worker"};
  options.open_source = OpenSource;
  return options;
}

pipeline::DisplayKind KindOf(const IngestArguments& arguments) {
  if (arguments.json) return pipeline::DisplayKind::kJson;
  if (arguments.quiet) return pipeline::DisplayKind::kQuiet;
  return isatty(STDOUT_FILENO) != 0 ? pipeline::DisplayKind::kBars : pipeline::DisplayKind::kLines;
}

}  // namespace

pipeline::ExitCode RunIngest(const IngestArguments& arguments) {
  SetUpLog("freshet", "warn");
  auto options = OptionsOf(arguments);
  if (!options.ok()) return Fail(options.status());
  SystemClock clock;
  auto display = pipeline::MakeDisplay(KindOf(arguments), &clock, stdout, stderr);
  return pipeline::Ingest(*options, &clock, display.get());
}

}  // namespace freshet::app
