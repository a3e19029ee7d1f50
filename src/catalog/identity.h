// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "base/status.h"
#include "store/database.h"

namespace freshet::catalog {

/// Who calls.
struct User {
  int64_t id = 0;
  std::string name, display_name;
};

/// What is known of a token besides its text, which only its owner has.
struct TokenInfo {
  std::string id, comment;
  int64_t created_at = 0;               // milliseconds since 1970, UTC
  std::optional<int64_t> expires_at{};  // likewise; nothing: never
};

/// The users and their tokens; a token is kept as its hash. Thread-safe.
class Identity {
 public:
  Identity(store::Database* database, const Clock* clock) : database_(database), clock_(clock) {}

  /// Make the user if there is none of that name.
  Result<User> Ensure(const std::string& name, const std::string& display_name);
  /// Return whose token this is; nothing: nobody's, or it has expired.
  Result<std::optional<User>> WhoHas(std::string_view token);
  /// Make a token; this is the one time its text is told. It is good only if `tell`, where there is
  /// one, could tell it.
  struct NewToken {
    Secret text;
    TokenInfo info;
  };
  Result<NewToken> AddToken(const User& user, const std::string& comment,
                            std::optional<int64_t> lifetime_seconds,
                            const std::function<Status(const Secret&)>& tell = {});
  Result<std::vector<TokenInfo>> Tokens(const User& user);
  /// Errors: NOT_FOUND (no such token of that user).
  Status RemoveToken(const User& user, const std::string& id);
  /// Whether anybody has a token that is good.
  Result<bool> HasTokens();

 private:
  store::Database* const database_;
  const Clock* const clock_;
};

}  // namespace freshet::catalog
