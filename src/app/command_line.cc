// SPDX-License-Identifier: Apache-2.0
#include "app/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>

#include "app/commands.h"
#include "app/server.h"
#include "app/source.h"
#include "app/terminal.h"
#include "client/command_line.h"
#include "pipeline/workers.h"

namespace freshet::app {

using pipeline::ExitCode;

std::optional<std::chrono::milliseconds> ParseDuration(const std::string& text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > 1'000'000'000) return std::nullopt;
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (unit == "ms") return std::chrono::milliseconds(number);
  if (unit.empty() || unit == "s") return std::chrono::seconds(number);
  if (unit == "m" || unit == "min") return std::chrono::minutes(number);
  if (unit == "h") return std::chrono::hours(number);
  if (unit == "d" && number <= 1'000'000) return std::chrono::hours(24 * number);
  return std::nullopt;
}

std::optional<int64_t> ParseBytes(const std::string& text) {
  constexpr int64_t kKilo = 1000, kKibi = 1024;
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number <= 0) return std::nullopt;
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  const std::pair<std::string_view, int64_t> units[] = {{"", 1},
                                                        {"MB", kKilo * kKilo},
                                                        {"MiB", kKibi * kKibi},
                                                        {"GB", kKilo * kKilo * kKilo},
                                                        {"GiB", kKibi * kKibi * kKibi},
                                                        {"TB", kKilo * kKilo * kKilo * kKilo},
                                                        {"TiB", kKibi * kKibi * kKibi * kKibi}};
  for (const auto& [name, factor] : units) {
    int64_t bytes = 0;
    if (unit == name)
      return __builtin_mul_overflow(number, factor, &bytes) ? std::nullopt : std::optional(bytes);
  }
  return std::nullopt;
}

namespace {

constexpr const char* kExamples = R"(Examples:
  freshet ingest postgresql://user@host/shop --to lake
      every table of the database into lake/<schema>/<table>, then end; run it again to catch up
  freshet ingest postgresql://user@host/shop --to lake --continuous
      stay, and keep the tables fresh
  freshet ingest postgresql://user@host/shop --to lake --tables 'public.*' --exclude '*.audit_*'
  freshet ingest postgresql://user@host/shop --to lake --refresh public.orders
      read this table again; readers see its old rows until the new ones are complete
  freshet discover postgresql://user@host/shop
      its tables: columns, types, keys, sizes, and what cannot be ingested
  freshet check postgresql://user@host/shop
      what keeps the source from being ingested, with the SQL that mends it
  freshet status lake
  freshet server --data DIR
      serve the API: connections, catalogs, grants
  freshet auth login --host http://127.0.0.1:8080 --token-file DIR/admin.token
      keep where the server is, and its token, for the commands to a server
  freshet pipelines start-update ingest --wait
      begin an update there, and watch it
  freshet drop lake
      remove slot and publication at the source; the tables stay
Exit codes: 0 all current, 1 internal, 2 usage, 3 source or server, 4 destination,
  5 some tables failed or were left out, 130 interrupted.)";

constexpr const char* kSourceWords =
    "a PostgreSQL URI (postgresql://user@host:port/database?sslmode=…); the password comes from "
    "it, PGPASSWORD, ~/.pgpass, or a prompt on a terminal; or a journal (sample:///directory)";

std::string CheckDuration(const std::string& text) {
  return ParseDuration(text) ? std::string() : "not a duration: " + text;
}

void AddCursorColumns(CLI::App* command, std::vector<std::string>* columns) {
  command
      ->add_option(
          "--cursor-columns", *columns,
          "capture by queries on these columns, which grow whenever a row changes, instead "
          "of from the log: no slot, no publication, no wal_level (separated by commas)")
      ->type_name("COLUMNS")
      ->delimiter(',')
      ->allow_extra_args(false);
}

void AddChanges(CLI::App* command, IngestArguments* arguments) {
  command
      ->add_option(
          "--on-schema-change", arguments->on_schema_change,
          "what becomes of a table whose columns or key change: evolve (it takes them; the "
          "default), pause (it waits, the others go on) or ignore (it keeps its columns)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"evolve", "pause", "ignore"}));
  command->add_flag("--drop-inactive-columns", arguments->drop_inactive_columns,
                    "columns that the source has no more, or that are not selected any more, go "
                    "from the tables too, with all they held; else they stay, inactive");
  command
      ->add_option("--auto-full-refresh", arguments->auto_refresh_hours,
                   "read a table again by itself when changes of it were lost, but not within so "
                   "many hours of its last snapshot")
      ->type_name("HOURS")
      ->check(CLI::Range(int64_t{0}, int64_t{1'000'000}));
  auto* include = command
                      ->add_option("--include-columns", arguments->include_columns,
                                   "of every table only these columns (separated by commas)")
                      ->type_name("COLUMNS")
                      ->delimiter(',')
                      ->allow_extra_args(false);
  command
      ->add_option("--exclude-columns", arguments->exclude_columns,
                   "of no table these columns (separated by commas)")
      ->type_name("COLUMNS")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->excludes(include);
}

void AddTables(CLI::App* command, IngestArguments* arguments) {
  command
      ->add_option("--profile", arguments->profile,
                   "what of Delta the tables use: portable (what current readers know; the "
                   "default), full (also a change data feed, row ids, wider types) or "
                   "classic (what the oldest readers know)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"portable", "full", "classic"}));
  command->add_flag("--change-data-feed", arguments->change_data_feed,
                    "tables tell which rows each commit changed, before and after "
                    "(delta.enableChangeDataFeed)");
}

void AddRereads(CLI::App* command, IngestArguments* arguments) {
  command
      ->add_option("--reread-interval", arguments->reread_interval,
                   "with --continuous, how long tables that the log does not tell of (without a "
                   "key, unlogged, views) rest before they are read again: 30s, 1h")
      ->type_name("DURATION")
      ->check(CheckDuration)
      ->default_str("5m");
}

void AddStaging(CLI::App* command, IngestArguments* arguments) {
  command
      ->add_option("--staging-retention", arguments->staging_retention,
                   "how long staged changes are kept once they are applied: 12h, 30d")
      ->type_name("DURATION")
      ->check(CheckDuration)
      ->default_str("30d");
  command
      ->add_option("--staging-age-max", arguments->staging_age_max,
                   "older ones go although they are not applied: their tables then fail")
      ->type_name("DURATION")
      ->check(CheckDuration);
  command
      ->add_option("--staging-bytes-max", arguments->staging_bytes_max,
                   "beyond this size the oldest go likewise: 500GB, 2TiB")
      ->type_name("BYTES")
      ->check([](const std::string& text) {
        return ParseBytes(text) ? std::string() : "not a number of bytes: " + text;
      });
}

void AddHistory(CLI::App* command, IngestArguments* arguments) {
  command
      ->add_option("--scd-type", arguments->scd_type,
                   "what tables keep of their rows' past: SCD_TYPE_1 (nothing; the default), "
                   "SCD_TYPE_2 (every version, with __START_AT and __END_AT) or APPEND_ONLY (a row "
                   "for each state)")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"SCD_TYPE_1", "SCD_TYPE_2", "APPEND_ONLY"}));
  command
      ->add_option("--sequence-by", arguments->sequence_by,
                   "columns that order the changes of a row instead of the commits (separated by "
                   "commas)")
      ->type_name("COLUMNS")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_flag("--soft-delete", arguments->soft_delete,
                    "deleted rows stay in SCD_TYPE_1 tables; __DELETED_AT says when");
}

void AddIngest(CLI::App& app, IngestArguments* arguments, std::string* retry_for, ExitCode* code) {
  auto* command = app.add_subcommand(
      "ingest", "bring a database's tables into Delta tables, and keep them there");
  command->add_option("SOURCE", arguments->source, kSourceWords)->required();
  command
      ->add_option("--to", arguments->directory,
                   "the directory of the tables; DIR/_freshet is Freshet's own")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--tables", arguments->tables,
                   "only these: schema.table, * matches, names unquoted (may be repeated)")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  command->add_option("--exclude", arguments->excludes, "not these (may be repeated)")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  command
      ->add_option(
          "--refresh", arguments->refresh,
          "read these again, once; they stay readable meanwhile, and take twice their size "
          "(may be repeated; all: '*')")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  command
      ->add_option("--spec", arguments->spec_file,
                   "YAML or JSON with the fields of an ingestion_definition")
      ->type_name("FILE");
  command
      ->add_option("--slot", arguments->slot, "use this replication slot instead of one of our own")
      ->type_name("NAME");
  command
      ->add_option("--publication", arguments->publication,
                   "use this publication instead of one of our own")
      ->type_name("NAME");
  command
      ->add_option("--type-mapping", arguments->type_mapping,
                   "what types become: lossless (as near as Delta can hold them; the default) or "
                   "databricks (the tables of Lakeflow Connect)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"lossless", "databricks"}));
  AddCursorColumns(command, &arguments->cursor_columns);
  AddHistory(command, arguments);
  AddChanges(command, arguments);
  AddTables(command, arguments);
  command->add_flag("--continuous", arguments->continuous, "stay and keep the tables fresh");
  command
      ->add_option("--retry-for", *retry_for, "how long a failing source is retried: 90s, 2m, 1h")
      ->type_name("DURATION")
      ->check(CheckDuration)
      ->default_val("2m");
  AddRereads(command, arguments);
  AddStaging(command, arguments);
  command->add_flag("--json", arguments->json, "one event a line, as JSON");
  command->add_flag("--quiet", arguments->quiet, "say only what goes wrong");
  command->callback([=] {
    arguments->retry_for = ParseDuration(*retry_for).value();
    *code = RunIngest(*arguments);
  });
}

constexpr const char* kDiscoverExamples = R"(Examples:
  freshet discover postgresql://user@host/shop
      every table with its columns, their types there and in Delta, its key and its size
  freshet discover postgresql://user@host/shop --tables 'public.*' --tables 'sales.order*'
  freshet discover postgresql://user@host/shop --json
      one table or column a line; ingestible says whether, reason and remedy why not)";

void AddDiscover(CLI::App& app, DiscoverArguments* arguments, ExitCode* code) {
  auto* command = app.add_subcommand(
      "discover",
      "list a source's tables: columns, types, keys, sizes, and what cannot be ingested");
  command->footer(kDiscoverExamples);
  command->add_option("SOURCE", arguments->source, kSourceWords)->required();
  command
      ->add_option("--tables", arguments->tables,
                   "only these: schema.table, * matches, names unquoted (may be repeated)")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  AddCursorColumns(command, &arguments->cursor_columns);
  command->add_flag("--json", arguments->json, "one table or column a line, as JSON");
  command->callback([=] { *code = RunDiscover(*arguments); });
}

void AddOthers(CLI::App& app, CheckArguments* check, StatusArguments* status, DropArguments* drop,
               ExitCode* code) {
  auto* check_command = app.add_subcommand(
      "check", "say what keeps a source from being ingested, with the SQL that mends it");
  check_command->add_option("SOURCE", check->source, kSourceWords)->required();
  AddCursorColumns(check_command, &check->cursor_columns);
  check_command->add_flag("--json", check->json, "one finding a line, as JSON");
  check_command->callback([=] { *code = RunCheck(*check); });
  auto* status_command = app.add_subcommand(
      "status", "rows, lag and last error of every table; also while a run goes on");
  status_command->add_option("DIR", status->directory, "the directory of the tables")->required();
  status_command->add_flag("--json", status->json, "one table a line, as JSON");
  status_command->callback([=] { *code = RunStatus(*status); });
  auto* drop_command = app.add_subcommand(
      "drop", "remove slot and publication at the source and DIR/_freshet; the tables stay");
  drop_command->add_option("DIR", drop->directory, "the directory of the tables")->required();
  drop_command->add_flag("--tables", drop->tables, "remove the tables too");
  drop_command
      ->add_option("--source", drop->source,
                   "the source, where it is reached in another way than it was")
      ->type_name("SOURCE");
  drop_command->callback([=] { *code = RunDrop(*drop); });
}

void AddWorkers(CLI::App& app, int* worker_code) {
  auto* worker = app.add_subcommand("worker", "")->group("");
  worker->add_subcommand("gateway", "")->callback([=] {
    *worker_code = pipeline::RunGatewayWorker(OpenSource);
  });
  worker->add_subcommand("holder", "")->callback([=] {
    *worker_code = pipeline::RunHolderWorker(OpenSource);
  });
  worker->add_subcommand("run", "")->callback(
      [=] { *worker_code = pipeline::RunRunWorker(OpenSource); });
  worker->add_subcommand("update", "")->callback([=] {
    *worker_code = pipeline::RunUpdateWorker();
  });
  worker->require_subcommand(1);
}

/// A word that should be a command and is none is named; CLI11 would only say that one is missing.
void CheckNames(const CLI::App& app, int count, char** arguments) {
  const auto* at = &app;
  std::string path;
  for (int i = 1; i < count && at->get_require_subcommand_min() > 0; ++i) {
    const std::string word = arguments[i];
    auto named = [&](const CLI::App* command) { return command->check_name(word); };
    auto found = at->get_subcommands(named);
    if (found.empty() && at->get_option_no_throw(word) != nullptr) return;
    path += " " + word;
    if (found.empty())
      throw CLI::ParseError("there is no command" + path, CLI::ExitCodes::ExtrasError);
    at = found[0];
  }
}

std::string OneLine(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

/// `ingest ` where the arguments name that command, else nothing.
std::string ParsedCommand(const CLI::App& app) {
  std::string path;
  auto parsed = app.get_subcommands();
  while (!parsed.empty()) {
    path += parsed[0]->get_name() + " ";
    parsed = parsed[0]->get_subcommands();
  }
  return path;
}

/// Add the commands that ask a server. A worker is none of them, and starts without.
void AddClient(CLI::App& app, int count, char** arguments, Terminal* terminal, ExitCode* code) {
  if (count > 1 && std::string_view(arguments[1]) == "worker") return;
  auto ended = [=](const client::Outcome& outcome) {
    *code = outcome.status.ok() ? ExitCode::kOk : Fail(outcome.status);
    if (outcome.only_tables) *code = ExitCode::kTables;
  };
  client::AddCommands(&app, {.surroundings = terminal, .open = client::OpenHttp, .ended = ended});
}

}  // namespace

ExitCode Fail(const Status& status) {
  std::fprintf(stderr, "error: %s\n", status.ToString().c_str());
  if (!status.remedy().empty())
    std::fprintf(stderr, "    %s\n", std::string(status.remedy()).c_str());
  return pipeline::ExitCodeOf(status);
}

int Main(int count, char** arguments) {
  CLI::App app("Freshet brings databases into Delta tables, incrementally, exact after any crash.",
               "freshet");
  app.set_version_flag("--version", "freshet " FRESHET_VERSION);
  app.footer(kExamples);
  app.require_subcommand(1);
  IngestArguments ingest;
  DiscoverArguments discover;
  CheckArguments check;
  StatusArguments status;
  DropArguments drop;
  ServerArguments server;
  std::string retry_for;
  auto code = ExitCode::kOk;
  int worker_code = -1;
  AddIngest(app, &ingest, &retry_for, &code);
  AddDiscover(app, &discover, &code);
  AddOthers(app, &check, &status, &drop, &code);
  AddServer(app, &server, &code);
  AddWorkers(app, &worker_code);
  Terminal terminal;
  AddClient(app, count, arguments, &terminal, &code);
  try {
    CheckNames(app, count, arguments);
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    // --help and --version end here too, with 0.
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "error: INVALID_ARGUMENT: %s\n    freshet %s--help says what there is.\n",
                 OneLine(error.what()).c_str(), ParsedCommand(app).c_str());
    return static_cast<int>(ExitCode::kUsage);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: INTERNAL: %s\n", error.what());
    return static_cast<int>(ExitCode::kInternal);
  }
  return worker_code >= 0 ? worker_code : static_cast<int>(code);
}

}  // namespace freshet::app
