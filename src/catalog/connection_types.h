// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "catalog/catalog.h"

namespace freshet::catalog {

/// One option of a connection, as the published form has it.
struct OptionSpec {
  std::string_view name;
  bool secret = false;
  std::string_view description;
  std::string_view standard = {};  // what holds when it is not given; empty: nothing does
};

/// A way to prove who connects: what has to be given for it.
struct CredentialMode {
  std::string_view credential_type;
  std::vector<std::string_view> required;
};

/// A kind of system that a connection leads to.
struct ConnectionType {
  std::string_view name;
  /// Whether this version has the connector; else connections are kept and pipelines refused.
  bool built = false;
  std::vector<OptionSpec> options;
  std::vector<CredentialMode> modes;  // any one of them is enough
  /// Options beyond these are taken too, and are secret if they sound so.
  bool open = false;
};

/// All of them, by name.
const std::vector<ConnectionType>& ConnectionTypes();
/// Null: there is none of that name.
const ConnectionType* ConnectionTypeNamed(std::string_view name);

/// What a client sent, with the secrets apart.
struct SplitOptions {
  Texts plain;
  Secrets secrets;
};
/// Errors: INVALID_ARGUMENT (an option the type does not have, a value that is none).
Result<SplitOptions> Split(const ConnectionType& type, const Texts& options);

/// Return the credential type that options of these names make up.
/// Errors: INVALID_ARGUMENT, naming the option that is missing.
Result<std::string_view> CredentialOf(const ConnectionType& type, const Texts& plain,
                                      const std::vector<std::string>& secret_names);

}  // namespace freshet::catalog
