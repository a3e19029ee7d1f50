// SPDX-License-Identifier: Apache-2.0
#include "app/server.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "api/http_server.h"
#include "api/service.h"
#include "app/server_data.h"
#include "app/server_log.h"
#include "app/source.h"
#include "base/log.h"
#include "base/random.h"
#include "base/server_limits.h"
#include "pipeline/event_publisher.h"

namespace freshet::app {
namespace {

using pipeline::ExitCode;

/// What requests that are under way have to end in.
constexpr std::chrono::seconds kEndWait{10};

constexpr char kServerExamples[] = R"(Examples:
  freshet server --data /var/lib/freshet
      the first line says where it listens; the administrator's token lies in DATA/admin.token
  freshet server --data DIR --port 0
      any port that is free
  freshet server backup --data DIR --to FILE
  freshet server rotate-key --data DIR
Every option is also a line of --config FILE (port = 8080) and a variable (FRESHET_PORT=8080); the
command line comes first, then the variable, then the file.)";

/// SIGTERM and SIGINT, blocked in every thread from here on and taken by Wait.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&taken_);
    sigaddset(&taken_, SIGINT);
    sigaddset(&taken_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &taken_, nullptr);
    // A client that goes away while it is written to is the client's matter.
    signal(SIGPIPE, SIG_IGN);
  }
  int Wait() const {
    int number = 0;
    sigwait(&taken_, &number);
    return number;
  }

 private:
  sigset_t taken_{};
};

/// From the environment, and out of it: nothing that is started later inherits it, and the kernel,
/// which shows the bytes that a process was started with, shows none of it.
Secret TakeKey() {
  char* key = std::getenv("FRESHET_MASTER_KEY");
  if (key == nullptr) return Secret();
  Secret secret{std::string(key)};
  explicit_bzero(key, strlen(key));
  unsetenv("FRESHET_MASTER_KEY");
  return secret;
}

/// What the server and all that it starts write is its owner's alone, and so is its memory.
void KeepToOwner() {
  constexpr mode_t kOthers = 0077;
  umask(kOthers);
  prctl(PR_SET_DUMPABLE, 0);
}

catalog::KeySource KeyOf(const ServerArguments& arguments, const ServerData& data) {
  bool given = !arguments.key_file.empty();
  return {.key = TakeKey(),
          .path = given ? arguments.key_file : data.key_path(),
          .make_missing = !given};
}

/// Sixteen digits that begin with none of zero: clients read it as a number.
std::string NewWorkspaceId() {
  auto digits = std::to_string(std::stoull(RandomHex(7), nullptr, 16));
  return "1" + std::string(15 - std::min<size_t>(15, digits.size()), '0') + digits.substr(0, 15);
}

/// A client that holds its connection does not hold the server: what was answered is durable.
void StopWithin(api::HttpServer* server, std::chrono::seconds wait) {
  std::jthread watch([wait](const std::stop_token& stopped) {
    SystemClock clock;
    clock.WaitUntil(clock.Now() + wait, stopped);
    if (stopped.stop_requested()) return;
    spdlog::warn("ended although clients hold their connections");
    std::_Exit(0);
  });
  server->Stop();
}

void TellAddress(const ServerArguments& arguments, int port) {
  bool v6 = arguments.host.find(':') != std::string::npos;
  std::printf("listening on %s://%s%s%s:%d\n", arguments.tls_certificate.empty() ? "http" : "https",
              v6 ? "[" : "", arguments.host.c_str(), v6 ? "]" : "", port);
  std::fflush(stdout);
}

Status Serve(const ServerArguments& arguments) {
  StopSignals signals;
  KeepToOwner();
  FRESHET_TRY(auto data, ServerData::Open(arguments.data));
  FRESHET_TRY(auto box, catalog::OpenBox(KeyOf(arguments, *data), *data->database()));
  SystemClock clock;
  catalog::Catalog catalog(data->database(), std::move(box), &clock);
  catalog::Principals principals(data->database());
  catalog::Identity identity(data->database(), &principals, &clock);
  catalog::Grants grants(data->database());
  catalog::Access access(&catalog, &grants);
  catalog::Permissions permissions(data->database());
  catalog::AuditLog audit(data->database(), &clock, std::chrono::hours(24) * arguments.audit_days);
  catalog::Workspace workspace(data->database(), &clock);
  api::RateLimiter callers(&clock, arguments.requests_per_minute),
      strangers(&clock, limits::kStrangersPerMinute);
  FRESHET_CHECK_OK(data->PrepareFirstStart(catalog, principals, identity));
  pipeline::PipelineBook book(data->database(), &clock);
  pipeline::EventPublisher publisher({.book = &book, .catalog = &catalog, .clock = &clock});
  pipeline::UpdateParts parts{.book = &book,
                              .catalog = &catalog,
                              .clock = &clock,
                              .open_source = OpenSource,
                              .data = data->root(),
                              .program = {"/proc/self/exe", "worker"},
                              .publisher = &publisher};
  pipeline::UpdateRunner runner(parts);
  api::Context context{.catalog = &catalog,
                       .principals = &principals,
                       .identity = &identity,
                       .grants = &grants,
                       .access = &access,
                       .permissions = &permissions,
                       .workspace = &workspace,
                       .audit = &audit,
                       .callers = &callers,
                       .strangers = &strangers,
                       .clock = &clock,
                       .book = &book,
                       .runner = &runner,
                       .update_parts = &parts,
                       .open_source = OpenSource,
                       .data = data->root(),
                       .external_url = arguments.external_url,
                       .tls = !arguments.tls_certificate.empty()};
  FRESHET_TRY(context.metastore_id, catalog.Setting("metastore_id", RandomUuid()));
  FRESHET_TRY(context.workspace_id, catalog.Setting("workspace_id", NewWorkspaceId()));
  api::Service service(context);
  FRESHET_TRY(auto server, api::HttpServer::Open(
                               {.host = arguments.host,
                                .port = arguments.port,
                                .tls_certificate = arguments.tls_certificate,
                                .tls_key = arguments.tls_key},
                               [&service](api::Request&& request, const api::ReceiveBody& receive) {
                                 return service.Answer(std::move(request), receive);
                               }));
  FRESHET_CHECK_OK(runner.Resume());
  publisher.Start();
  server->Start();
  service.SetReady(true);
  TellAddress(arguments, server->port());
  spdlog::info("started data={} version={}", data->root(), FRESHET_VERSION);
  spdlog::info("ending signal={}", signals.Wait());
  service.SetReady(false);
  runner.Shutdown();
  publisher.Stop();
  StopWithin(server.get(), kEndWait);
  spdlog::info("ended");
  return Status::Ok();
}

Status Rotate(const ServerArguments& arguments) {
  KeepToOwner();
  FRESHET_TRY(auto data, ServerData::Open(arguments.data));
  return catalog::RotateKey(KeyOf(arguments, *data), *data->database());
}

Status BackUp(const ServerArguments& arguments) {
  KeepToOwner();
  FRESHET_TRY(auto database, ServerData::OpenDatabase(arguments.data));
  return database->Backup(arguments.backup_to);
}

std::string Trimmed(const std::string& text) {
  auto from = text.find_first_not_of(" \t\r"), to = text.find_last_not_of(" \t\r");
  return from == std::string::npos ? "" : text.substr(from, to - from + 1);
}

/// Give the options that neither the command line nor the environment gave.
Status ReadConfig(CLI::App* command, const std::string& path) {
  if (path.empty()) return Status::Ok();
  std::ifstream file(path);
  if (!file) return Error(ErrorClass::INVALID_ARGUMENT, "cannot read the configuration {}", path);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    line = Trimmed(line);
    if (line.empty() || line[0] == '#') continue;
    auto equals = line.find('=');
    auto name = Trimmed(line.substr(0, equals));
    auto wrong = [&](std::string_view why) {
      return Error(ErrorClass::INVALID_ARGUMENT, "{} line {}: {} {}", path, number, name, why);
    };
    auto* option = command->get_option_no_throw("--" + name);
    if (equals == std::string::npos || option == nullptr || name == "config" || name == "help")
      return wrong("is not an option of the server");
    if (option->count() > 0) continue;
    try {
      option->add_result(Trimmed(line.substr(equals + 1)));
      option->run_callback();
    } catch (const CLI::Error& error) {
      return wrong(fmt::format("is not valid: {}", error.what()));
    }
  }
  return Status::Ok();
}

ExitCode CodeOf(const Status& status) { return status.ok() ? ExitCode::kOk : Fail(status); }

void AddData(CLI::App* command, ServerArguments* arguments) {
  command->add_option("--data", arguments->data, "the server's directory: database, keys, tables")
      ->required()
      ->type_name("DIR")
      ->envname("FRESHET_DATA");
}

void AddKeyFile(CLI::App* command, ServerArguments* arguments) {
  command
      ->add_option(
          "--master-key-file", arguments->key_file,
          "the key that secrets are sealed with, 64 hex digits, instead of one of its own in "
          "DIR/master.key; FRESHET_MASTER_KEY gives the key itself")
      ->type_name("FILE")
      ->envname("FRESHET_MASTER_KEY_FILE");
}

void AddListening(CLI::App* command, ServerArguments* arguments) {
  command->add_option("--host", arguments->host, "the address to listen on")
      ->type_name("ADDRESS")
      ->envname("FRESHET_HOST")
      ->capture_default_str();
  command->add_option("--port", arguments->port, "0 takes one that is free")
      ->check(CLI::Range(0, 65535))
      ->envname("FRESHET_PORT")
      ->capture_default_str();
  auto* certificate =
      command->add_option("--tls-cert", arguments->tls_certificate, "PEM: listen with TLS")
          ->type_name("FILE")
          ->envname("FRESHET_TLS_CERT");
  auto* key = command->add_option("--tls-key", arguments->tls_key, "PEM: the certificate's key")
                  ->type_name("FILE")
                  ->envname("FRESHET_TLS_KEY");
  certificate->needs(key);
  key->needs(certificate);
  command
      ->add_option("--external-url", arguments->external_url,
                   "how clients reach the server, where a proxy stands before it")
      ->type_name("URL")
      ->check([](const std::string& url) {
        bool good =
            (url.starts_with("http://") || url.starts_with("https://")) && url.back() != '/';
        return good ? std::string()
                    : "a URL begins with http:// or https:// and ends without a '/'";
      })
      ->envname("FRESHET_EXTERNAL_URL");
  command
      ->add_option("--requests-per-minute", arguments->requests_per_minute,
                   "what each principal may send; 0: any number")
      ->check(CLI::Range(0, 1'000'000))
      ->envname("FRESHET_REQUESTS_PER_MINUTE")
      ->capture_default_str();
  command
      ->add_option("--audit-days", arguments->audit_days, "how long changes stay in the audit log")
      ->check(CLI::Range(1, 36500))
      ->envname("FRESHET_AUDIT_DAYS")
      ->capture_default_str();
  command->add_option("--log-level", arguments->log_level, "what of the log is written")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->envname("FRESHET_LOG_LEVEL")
      ->capture_default_str();
}

}  // namespace

ExitCode RunServer(const ServerArguments& arguments) {
  SetUpServerLog(arguments.log_level);
  return CodeOf(Serve(arguments));
}

ExitCode RunBackup(const ServerArguments& arguments) { return CodeOf(BackUp(arguments)); }

ExitCode RunRotateKey(const ServerArguments& arguments) { return CodeOf(Rotate(arguments)); }

void AddServer(CLI::App& app, ServerArguments* arguments, ExitCode* code) {
  auto* server = app.add_subcommand(
      "server", "serve the API: connections, catalogs and grants, for the clients people have");
  server->footer(kServerExamples);
  server->require_subcommand(0, 1);
  // Of the server itself; its commands have their own.
  auto* data = server->add_option("--data", arguments->data,
                                  "the server's directory: database, keys, tables");
  data->type_name("DIR")->envname("FRESHET_DATA");
  AddListening(server, arguments);
  AddKeyFile(server, arguments);
  server->add_option("--config", arguments->config, "one option a line: port = 8080")
      ->type_name("FILE")
      ->envname("FRESHET_CONFIG");
  auto* backup =
      server->add_subcommand("backup", "write a copy of the database, also while it runs");
  AddData(backup, arguments);
  backup->add_option("--to", arguments->backup_to, "a file that is not there yet")
      ->required()
      ->type_name("FILE");
  backup->callback([=] { *code = RunBackup(*arguments); });
  auto* rotate = server->add_subcommand(
      "rotate-key", "seal every secret with a new master key; no server may run meanwhile");
  AddData(rotate, arguments);
  AddKeyFile(rotate, arguments);
  rotate->callback([=] { *code = RunRotateKey(*arguments); });
  server->callback([=] {
    if (!server->get_subcommands().empty()) return;
    if (auto read = ReadConfig(server, arguments->config); !read.ok()) {
      *code = Fail(read);
      return;
    }
    // The command line's own rule does not see what stands in a file.
    if (arguments->tls_certificate.empty() != arguments->tls_key.empty()) {
      *code = Fail(Error(ErrorClass::INVALID_ARGUMENT,
                         "tls-cert and tls-key are given together, or neither of them"));
      return;
    }
    // The commands to a server have a variable of this name, too.
    if (arguments->host.find("://") != std::string::npos) {
      *code = Fail(Error(ErrorClass::INVALID_ARGUMENT, "the address to listen on is a URL: '{}'",
                         arguments->host)
                       .WithRemedy("Give --host ADDRESS: FRESHET_HOST says where clients go."));
      return;
    }
    if (arguments->data.empty()) throw CLI::RequiredError("--data");
    *code = RunServer(*arguments);
  });
}

}  // namespace freshet::app
