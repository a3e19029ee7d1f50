// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::client {

/// A command as a shell completes it: what may follow its name.
struct CompletedCommand {
  struct Option {
    std::vector<std::string> names{};  // with their dashes
    std::string summary{};
    bool takes_value = false;
    std::vector<std::string> values{};  // those that there are; empty: any, such as a file's name
  };
  std::string name{}, summary{};
  std::vector<Option> options{};
  std::vector<std::vector<std::string>> positionals{};  // the values of each; empty: any
  std::vector<CompletedCommand> commands{};
};

enum class Shell : uint8_t { kBash, kZsh, kFish };

/// Return the script that makes a shell complete this command and all below it.
std::string CompletionOf(const CompletedCommand& command, Shell shell);

}  // namespace freshet::client
