// SPDX-License-Identifier: Apache-2.0
#include "app/source.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>

#include "sources/registry/registry.h"

namespace freshet::app {
namespace {

using pipeline::SourceSettings;

/// Read a line from the terminal without showing it.
Secret ReadPassword(const std::string& prompt) {
  termios shown{};
  if (tcgetattr(STDIN_FILENO, &shown) != 0) return {};
  termios hidden = shown;
  // Ctrl-C comes as a character that ends the line, so that it does not end this process with the
  // echo off.
  hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
  hidden.c_cc[VEOL] = shown.c_cc[VINTR];
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  std::fprintf(stderr, "%s: ", prompt.c_str());
  std::string line;
  int c = std::getchar();
  for (; c != EOF && c != '\n' && c != shown.c_cc[VINTR]; c = std::getchar())
    line += static_cast<char>(c);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
  if (c == shown.c_cc[VINTR]) raise(SIGINT);
  std::fprintf(stderr, "\n");
  return Secret(std::move(line));
}

}  // namespace

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
  settings->password = ReadPassword("Password for " + (*connector)->describe(*settings));
}

Result<std::unique_ptr<sources::Source>> OpenSource(const SourceSettings& settings) {
  return sources::OpenSource(settings);
}

}  // namespace freshet::app
