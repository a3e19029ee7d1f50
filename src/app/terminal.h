// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "client/surroundings.h"

namespace freshet::app {

/// Read a line from the terminal without showing it; empty: there is none.
Secret AskOnTerminal(const std::string& prompt);

/// This machine, as the commands to a server see it.
class Terminal final : public client::Surroundings {
 public:
  std::string Variable(const char* name) const override;
  Result<std::string> Read(const std::string& path) override;
  Result<std::string> ReadPrivate(const std::string& path) override;
  Status WritePrivate(const std::string& path, const std::string& text) override;
  Secret Ask(const std::string& prompt) override { return AskOnTerminal(prompt); }
  bool Print(std::string_view text) override;
  void Note(std::string_view text) override;
  Size TerminalSize() const override;
  Clock* clock() override { return &clock_; }

 private:
  SystemClock clock_;
};

}  // namespace freshet::app
