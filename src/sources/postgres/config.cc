// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/config.h"

#include <libpq-fe.h>

#include <memory>

#include "sources/postgres/connection.h"

namespace freshet::sources::postgres {
namespace {

struct OptionsDeleter {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

}  // namespace

std::string_view Config::parameter(std::string_view keyword) const {
  for (const auto& [name, value] : parameters) {
    if (name == keyword) return value;
  }
  return {};
}

Result<Config> ParseUri(std::string_view uri) {
  Config config;
  if (!uri.starts_with("postgresql://") && !uri.starts_with("postgres://") &&
      uri.find('=') == std::string_view::npos) {
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "the source is not a PostgreSQL URI: it begins with postgresql://");
  }
  char* problem = nullptr;
  std::unique_ptr<PQconninfoOption, OptionsDeleter> options(
      PQconninfoParse(std::string(uri).c_str(), &problem));
  if (problem != nullptr) PQfreemem(problem);
  // libpq's message may quote the password, so it is not passed on.
  if (options == nullptr) {
    return Error(ErrorClass::INVALID_ARGUMENT,
                 "the source's URI cannot be read: "
                 "postgresql://user:password@host:port/database?sslmode=require, "
                 "with special characters percent-encoded");
  }
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    std::string_view keyword = option->keyword;
    if (keyword == "password") {
      config.password = Secret(option->val);
    } else if (keyword == "sslpassword") {
      config.tls_key_password = Secret(option->val);
    } else if (keyword != "replication" && keyword != "client_encoding") {
      config.parameters.emplace_back(keyword, option->val);
    }
  }
  return config;
}

std::string Describe(const Config& config) {
  std::string_view user = config.parameter("user");
  std::string_view host = config.parameter("host");
  std::string_view port = config.parameter("port");
  return fmt::format("postgresql://{}{}{}:{}/{}", user, user.empty() ? "" : "@",
                     host.empty() ? "localhost" : host, port.empty() ? "5432" : port,
                     config.parameter("dbname"));
}

bool NeedsPassword(const Config& config) {
  bool needs_password = false;
  auto connection = Connection::Connect(config, Connection::Mode::kQuery, &needs_password);
  return !connection.ok() && needs_password;
}

}  // namespace freshet::sources::postgres
