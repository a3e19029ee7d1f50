// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "client/auth.h"
#include "client/completion.h"

namespace CLI {
class App;
}

namespace freshet::client {

/// What the commands that ask a server work with. `ended` is told how the one that was parsed
/// ended; all live as long as the command line.
struct CommandLine {
  Surroundings* surroundings = nullptr;
  OpenApi open{};
  std::function<void(const Outcome&)> ended{};
};

/// Add the commands that ask a server: every one of AllCommands, `api`, `auth` and `completion`.
/// They are run by the parsing itself.
void AddCommands(CLI::App* app, const CommandLine& line);

/// Return what there is to complete of a command line, hidden commands left out.
CompletedCommand CompletedOf(const CLI::App& app);

}  // namespace freshet::client
