// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "app/commands.h"

namespace CLI {
class App;
}

namespace freshet::app {

/// What `freshet server` was given.
struct ServerArguments {
  std::string data, host = "127.0.0.1", tls_certificate, tls_key, key_file, config, backup_to,
                    external_url;
  int port = 8080, requests_per_minute = 0, audit_days = 365;
  std::string log_level = "info";
};

/// Add `server` and what is below it.
void AddServer(CLI::App& app, ServerArguments* arguments, pipeline::ExitCode* code);

/// Serve until SIGTERM or SIGINT.
pipeline::ExitCode RunServer(const ServerArguments& arguments);
/// Write a copy of the database, also while a server runs.
pipeline::ExitCode RunBackup(const ServerArguments& arguments);
/// Seal every secret with a new master key; no server may run.
pipeline::ExitCode RunRotateKey(const ServerArguments& arguments);

}  // namespace freshet::app
