// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "base/status.h"
#include "sources/source.h"

namespace freshet::sources {

/// How to reach a source and what to use there, without a word of any one connector.
struct Settings {
  /// Which connector: its Connector::name.
  std::string connector;
  /// The connector's own names and values, no secret among them.
  std::vector<std::pair<std::string, std::string>> parameters;
  Secret password, tls_key_password;
  /// What stands at the source for this reader, where the source has such things.
  std::string slot, publication;
  std::string type_mapping;  // the connector's word; empty: its own choice
  /// A folder on a local disk where it may put aside, without a name, what need not survive; empty:
  /// there is none.
  std::string scratch_folder;
  bool slot_given = false,
       publication_given = false;  // by the user: never made, altered nor dropped

  /// Return a parameter's value, "" when it is not set.
  std::string_view parameter(std::string_view name) const {
    for (const auto& [each, value] : parameters) {
      if (each == name) return value;
    }
    return {};
  }
};

/// One connector as sources/registry lists it. A value; the functions are thread-safe.
struct Connector {
  /// As Traits::name: what a destination remembers. Never renamed.
  std::string_view name;
  /// What a SOURCE begins with, before `://`; "" takes a SOURCE without any.
  std::vector<std::string_view> schemes;
  /// How a SOURCE is written, for the error that nothing fits.
  std::string_view form;
  /// Read a SOURCE. Errors: INVALID_ARGUMENT; the text itself is never quoted.
  Result<Settings> (*parse)(std::string_view text);
  /// Errors: what the connector's Open says.
  Result<std::unique_ptr<Source>> (*open)(const Settings& settings);
  /// Whether a password is asked for and none was found; null: never.
  bool (*needs_password)(const Settings& settings) = nullptr;
  /// Return the source's address without a secret, for the prompt.
  std::string (*describe)(const Settings& settings) = nullptr;
};

}  // namespace freshet::sources
