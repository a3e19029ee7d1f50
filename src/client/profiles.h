// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/http_api.h"
#include "client/surroundings.h"

namespace freshet::client {

/// A server under a name, as `~/.freshetcfg` keeps it.
struct Profile {
  std::string name{}, host{};
  Secret token{};
  std::string ca_file{};
};

/// The profile that counts where none is named.
inline constexpr std::string_view kDefaultProfile = "DEFAULT";

/// Read `[name]` and `key = value` lines; `#` and `;` begin a comment. `path` is for messages.
/// Errors: INVALID_ARGUMENT.
Result<std::vector<Profile>> ParseProfiles(std::string_view text, const std::string& path);
/// Return the text with this profile in place of the one of its name, or at its end; all else stays
/// as it is.
std::string WithProfile(std::string_view text, const Profile& profile);

/// Return the path of the file: FRESHET_CONFIG_FILE, else `~/.freshetcfg`.
std::string ProfilesPath(const Surroundings& surroundings);
/// Return what the file holds; nothing where there is none. Errors: INVALID_ARGUMENT.
Result<std::vector<Profile>> ReadProfiles(Surroundings* surroundings);

/// Where the command line says that the server is; empty: it does not.
struct WantedServer {
  std::string host{}, profile{}, token_file{}, ca_file{};
};
/// Find host and token: on the command line, in the profile that it names, in FRESHET_HOST and
/// FRESHET_TOKEN, in the profile of FRESHET_CONFIG_PROFILE or the default one, in DATABRICKS_HOST
/// and DATABRICKS_TOKEN. A token that was given together with a host goes to no other one.
/// Errors: INVALID_ARGUMENT.
Result<Server> ChooseServer(const WantedServer& wanted, Surroundings* surroundings);

/// Return the token that a text is, blanks around it left out. Errors: INVALID_ARGUMENT.
Result<Secret> TokenOf(std::string_view text, std::string_view from);

}  // namespace freshet::client
