// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/secret.h"
#include "base/status.h"

namespace freshet::client {

/// What a command sees of the machine that it runs on; `app` has the real one. One thread.
class Surroundings {
 public:
  virtual ~Surroundings() = default;

  /// Return a variable of the environment; empty: it is not set.
  virtual std::string Variable(const char* name) const = 0;
  /// Return a file's text; `-` is standard input. Errors: INVALID_ARGUMENT.
  virtual Result<std::string> Read(const std::string& path) = 0;
  /// Return the text of a file that holds secrets. Errors: NOT_FOUND; INVALID_ARGUMENT (others may
  /// read it, too).
  virtual Result<std::string> ReadPrivate(const std::string& path) = 0;
  /// Replace such a file whole. Errors: STORE_*.
  virtual Status WritePrivate(const std::string& path, const std::string& text) = 0;
  /// Ask on the terminal, unseen; empty: there is none, or nothing was said.
  virtual Secret Ask(const std::string& prompt) = 0;

  /// Say on standard output what was asked for; false: nobody reads it any more.
  virtual bool Print(std::string_view text) = 0;
  /// Say on standard error what is worth knowing beside it.
  virtual void Note(std::string_view text) = 0;
  struct Size {
    int columns = 0, rows = 0;
  };
  /// Return the size of the terminal that Print writes to; no columns: it is none.
  virtual Size TerminalSize() const = 0;
  virtual Clock* clock() = 0;
};

}  // namespace freshet::client
