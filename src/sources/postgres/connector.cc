// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/connector.h"

#include "sources/postgres/config.h"
#include "sources/postgres/source.h"

namespace freshet::sources::postgres {
namespace {

Config ConfigOf(const Settings& settings) {
  Config config;
  config.parameters = settings.parameters;
  config.password = settings.password;
  config.tls_key_password = settings.tls_key_password;
  config.type_mapping =
      settings.type_mapping == "databricks" ? TypeMapping::kDatabricks : TypeMapping::kLossless;
  config.scratch_folder = settings.scratch_folder;
  config.slot = settings.slot;
  config.slot_given = settings.slot_given;
  config.publication = settings.publication;
  config.publication_given = settings.publication_given;
  return config;
}

Result<Settings> Parse(std::string_view text) {
  FRESHET_TRY(Config config, ParseUri(text));
  Settings settings;
  settings.parameters = std::move(config.parameters);
  settings.password = std::move(config.password);
  settings.tls_key_password = std::move(config.tls_key_password);
  return settings;
}

}  // namespace

Connector AsConnector() {
  return {
      .name = "postgres",
      .schemes = {"postgresql", "postgres", ""},
      .form = "postgresql://",
      .parse = Parse,
      .open = [](const Settings& settings) { return Open(ConfigOf(settings)); },
      .needs_password = [](const Settings& settings) { return NeedsPassword(ConfigOf(settings)); },
      .describe = [](const Settings& settings) { return Describe(ConfigOf(settings)); }};
}

}  // namespace freshet::sources::postgres
