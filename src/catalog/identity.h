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
#include "catalog/principals.h"
#include "store/database.h"

namespace freshet::catalog {

/// What is known of a token besides its text, which only its owner has.
struct TokenInfo {
  std::string id{}, comment{};
  int64_t created_at = 0;               // milliseconds since 1970, UTC
  std::optional<int64_t> expires_at{};  // likewise; nothing: never
  int64_t owner = 0, created_by = 0;    // principals
  std::string owner_name{}, created_by_name{};
};

/// What is known of a service principal's secret.
struct ClientSecretInfo {
  std::string id{};
  int64_t created_at = 0, expires_at = 0;  // milliseconds since 1970, UTC
};

/// By what callers prove who they are: personal access tokens; secrets of service principals and
/// the short-lived tokens that these get for them. All are kept as hashes. Thread-safe.
class Identity {
 public:
  Identity(store::Database* database, Principals* principals, const Clock* clock)
      : database_(database), principals_(principals), clock_(clock) {}

  /// Return whose token this is, of either kind; nothing: nobody's who may come in, or it has
  /// expired.
  Result<std::optional<Caller>> WhoHas(std::string_view token);

  /// Make a token; this is the one time its text is told. It is good only if `tell`, where there is
  /// one, could tell it.
  struct NewToken {
    Secret text{};
    TokenInfo info{};
  };
  struct TokenRequest {
    int64_t owner = 0, created_by = 0;  // principals
    std::string comment{};
    std::optional<int64_t> lifetime_seconds{};
    std::function<Status(const Secret&)> tell{};
  };
  Result<NewToken> AddToken(const TokenRequest& request);
  /// Of one principal; 0: of all.
  Result<std::vector<TokenInfo>> Tokens(int64_t owner);
  /// Errors: NOT_FOUND (no such token of that principal; 0: of anybody).
  Status RemoveToken(int64_t owner, const std::string& id);
  Status SetComment(int64_t owner, const std::string& id, const std::string& comment);
  /// Whether anybody has a token that is good.
  Result<bool> HasTokens();

  struct NewClientSecret {
    Secret text{};
    ClientSecretInfo info{};
  };
  /// Errors: INVALID_ARGUMENT (it has as many as it may have).
  Result<NewClientSecret> AddClientSecret(int64_t service, int64_t lifetime_seconds);
  Result<std::vector<ClientSecretInfo>> ClientSecrets(int64_t service);
  /// With the tokens that it was given. Errors: NOT_FOUND.
  Status RemoveClientSecret(int64_t service, const std::string& id);
  /// Give a short-lived token for a service principal's secret; nothing: it is not one of its, has
  /// expired, or the service principal is not active. Nobody learns which.
  Result<std::optional<Secret>> AddAccessToken(std::string_view application_id,
                                               std::string_view secret);

 private:
  int64_t NowMs() const { return clock_->WallNow() / 1000; }

  store::Database* const database_;
  Principals* const principals_;
  const Clock* const clock_;
};

}  // namespace freshet::catalog
