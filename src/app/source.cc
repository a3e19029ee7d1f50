// SPDX-License-Identifier: Apache-2.0
#include "app/source.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>

#include "sources/postgres/config.h"
#include "sources/postgres/source.h"

namespace freshet::app {
namespace {

using pipeline::SourceSettings;
namespace postgres = sources::postgres;

postgres::Config ConfigOf(const SourceSettings& settings) {
  postgres::Config config;
  config.parameters = settings.parameters;
  config.password = settings.password;
  config.tls_key_password = settings.tls_key_password;
  config.slot = settings.slot;
  config.slot_given = settings.slot_given;
  config.publication = settings.publication;
  config.publication_given = settings.publication_given;
  return config;
}

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
  FRESHET_TRY(auto config, postgres::ParseUri(text));
  ParsedSource parsed;
  parsed.database = config.parameter("dbname");
  parsed.settings.parameters = std::move(config.parameters);
  parsed.settings.password = std::move(config.password);
  parsed.settings.tls_key_password = std::move(config.tls_key_password);
  AskPassword(&parsed.settings);
  return parsed;
}

void AskPassword(SourceSettings* settings) {
  if (!settings->password.empty() || isatty(STDIN_FILENO) == 0) return;
  auto config = ConfigOf(*settings);
  if (!postgres::NeedsPassword(config)) return;
  settings->password = ReadPassword("Password for " + postgres::Describe(config));
}

Result<std::unique_ptr<sources::Source>> OpenSource(const SourceSettings& settings) {
  return postgres::Open(ConfigOf(settings));
}

}  // namespace freshet::app
