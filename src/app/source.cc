// SPDX-License-Identifier: Apache-2.0
#include "app/source.h"

#include <unistd.h>

#include "app/terminal.h"
#include "sources/registry/registry.h"

namespace freshet::app {

using pipeline::SourceSettings;

Result<ParsedSource> ParseSource(std::string_view text) {
  ParsedSource parsed;
  FRESHET_TRY(parsed.settings, sources::ParseSource(text));
  parsed.database = parsed.settings.parameter("dbname");
  AskPassword(&parsed.settings);
  return parsed;
}

void AskPassword(SourceSettings* settings) {
  if (!settings->password.empty() || isatty(STDIN_FILENO) == 0) return;
  auto connector = sources::ConnectorNamed(settings->connector);
  if (!connector.ok() || (*connector)->needs_password == nullptr) return;
  if (!(*connector)->needs_password(*settings)) return;
  settings->password = AskOnTerminal("Password for " + (*connector)->describe(*settings));
}

Result<std::unique_ptr<sources::Source>> OpenSource(const SourceSettings& settings) {
  return sources::OpenSource(settings);
}

}  // namespace freshet::app
