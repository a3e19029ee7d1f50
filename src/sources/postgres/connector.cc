// SPDX-License-Identifier: Apache-2.0
#include "sources/postgres/connector.h"

#include <charconv>

#include "sources/postgres/config.h"
#include "sources/postgres/cursor_rule.h"
#include "sources/postgres/cursor_source.h"
#include "sources/postgres/source.h"

namespace freshet::sources::postgres {
namespace {

/// The parameter that holds the rules of capture by queries; libpq knows none of that name.
constexpr std::string_view kRules = "freshet_cursor_rules";
/// Likewise, the rules of which columns are selected.
constexpr std::string_view kColumns = "freshet_columns", kTimestamps = "freshet_timestamps";
/// Likewise, how many milliseconds a query may take.
constexpr std::string_view kStatementTimeout = "freshet_statement_timeout";

TypeMapping MappingOf(const Settings& settings) {
  if (settings.type_mapping == "databricks") return TypeMapping::kDatabricks;
  return settings.parameter(kTimestamps) == "utc" ? TypeMapping::kLosslessUtc
                                                  : TypeMapping::kLossless;
}

Config ConfigOf(const Settings& settings) {
  Config config;
  for (const auto& parameter : settings.parameters) {
    bool ours = parameter.first == kRules || parameter.first == kColumns ||
                parameter.first == kTimestamps || parameter.first == kStatementTimeout;
    if (!ours) config.parameters.push_back(parameter);
  }
  int64_t timeout = 0;
  auto text = settings.parameter(kStatementTimeout);
  std::from_chars(text.data(), text.data() + text.size(), timeout);
  config.statement_timeout = std::chrono::milliseconds(timeout);
  config.password = settings.password;
  config.tls_key_password = settings.tls_key_password;
  config.type_mapping = MappingOf(settings);
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

Result<std::unique_ptr<Source>> OpenEither(const Settings& settings) {
  Config config = ConfigOf(settings);
  FRESHET_TRY(config.columns, ColumnSelection::Parse(settings.parameter(kColumns)));
  std::string_view rules = settings.parameter(kRules);
  if (rules.empty()) return Open(std::move(config));
  FRESHET_TRY(CursorRules parsed, CursorRules::Parse(rules));
  config.rules = std::make_shared<const CursorRules>(std::move(parsed));
  return OpenQueried(std::move(config));
}

}  // namespace

Connector AsConnector() {
  return {
      .name = "postgres",
      .schemes = {"postgresql", "postgres", ""},
      .form = "postgresql://",
      .parse = Parse,
      .open = OpenEither,
      .needs_password = [](const Settings& settings) { return NeedsPassword(ConfigOf(settings)); },
      .describe = [](const Settings& settings) { return Describe(ConfigOf(settings)); }};
}

}  // namespace freshet::sources::postgres
