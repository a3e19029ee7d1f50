// SPDX-License-Identifier: Apache-2.0
#include "pipeline/connection_settings.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/random.h"
#include "base/server_limits.h"
#include "catalog/secret_box.h"
#include "pipeline/destination.h"
#include "store/local_file.h"

namespace freshet::pipeline {
namespace {

/// What a Debian system trusts. Source: ca-certificates.
constexpr char kSystemAuthorities[] = "/etc/ssl/certs/ca-certificates.crt";

std::string OptionOf(const catalog::Securable& connection, const std::string& name,
                     const std::string& standard) {
  auto found = connection.options.find(name);
  return found == connection.options.end() || found->second.empty() ? standard : found->second;
}

/// The server's certificate is checked unless the connection says otherwise.
Status AddTls(const catalog::Securable& connection, const std::string& folder,
              SourceSettings* settings) {
  bool trusting = OptionOf(connection, "trustServerCertificate", "false") == "true";
  auto mode = OptionOf(connection, "sslmode", trusting ? "require" : "verify-full");
  settings->parameters.emplace_back("sslmode", mode);
  if (!mode.starts_with("verify-")) return Status::Ok();
  auto authority = OptionOf(connection, "userProvidedServerCertificate", "");
  std::string path = kSystemAuthorities;
  if (!authority.empty()) {
    FRESHET_CHECK_OK(store::MakeFolders(folder));
    // Several may write it at once, and one that runs keeps the one it began with.
    path = folder + "/" + catalog::HashOf(authority) + ".pem";
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
      auto beside = path + "." + RandomHex(8);
      FRESHET_CHECK_OK(ReplaceFile(beside, authority, false));
      if (std::rename(beside.c_str(), path.c_str()) != 0)
        return store::FromErrno(errno, "cannot keep the authority's certificate", path);
    }
  }
  settings->parameters.emplace_back("sslrootcert", path);
  return Status::Ok();
}

Secret SecretOf(const catalog::Secrets& secrets, const std::string& name) {
  auto found = secrets.find(name);
  return found == secrets.end() ? Secret() : found->second;
}

/// A user that was given before it was told is kept with the secrets.
std::string UserOf(const catalog::Securable& connection, const catalog::Secrets& secrets) {
  return OptionOf(connection, "user", std::string(SecretOf(secrets, "user").Reveal()));
}

}  // namespace

void LimitSession(SourceSettings* settings) {
  auto milliseconds = [](std::chrono::milliseconds wait) { return std::to_string(wait.count()); };
  settings->parameters.emplace_back("connect_timeout",
                                    std::to_string(limits::kVisitConnectMax.count()));
  settings->parameters.emplace_back("tcp_user_timeout", milliseconds(limits::kVisitSilenceMax));
  settings->parameters.emplace_back("freshet_statement_timeout",
                                    milliseconds(limits::kVisitStatementMax));
}

Result<SourceSettings> SettingsOf(const catalog::Securable& connection,
                                  const catalog::Secrets& secrets, const std::string& database,
                                  const std::string& folder) {
  if (connection.fact("connection_type") != "POSTGRESQL") {
    return Error(ErrorClass::UNSUPPORTED_FIELD,
                 "connections of type {} are kept, but this version has no connector for them",
                 connection.fact("connection_type"));
  }
  SourceSettings settings;
  settings.connector = "postgres";
  settings.parameters = {{"host", OptionOf(connection, "host", "")},
                         {"port", OptionOf(connection, "port", "5432")},
                         {"dbname", database},
                         {"user", UserOf(connection, secrets)}};
  FRESHET_CHECK_OK(AddTls(connection, folder, &settings));
  settings.password = SecretOf(secrets, "password");
  return settings;
}

}  // namespace freshet::pipeline
