// SPDX-License-Identifier: Apache-2.0
#include "catalog/identity.h"

#include "base/random.h"
#include "catalog/secret_box.h"

namespace freshet::catalog {
namespace {

constexpr std::string_view kTokenPrefix = "dapi";

TokenInfo InfoFrom(const store::Row& row) {
  TokenInfo info{.id = row.text(0), .comment = row.text(1), .created_at = row.number(2)};
  if (!row.is_null(3)) info.expires_at = row.number(3);
  return info;
}

}  // namespace

Result<User> Identity::Ensure(const std::string& name, const std::string& display_name) {
  FRESHET_CHECK_OK(database_->Execute(
      "INSERT OR IGNORE INTO users (name, display_name) VALUES (?, ?)", {name, display_name}));
  FRESHET_TRY(auto rows,
              database_->Query("SELECT id, name, display_name FROM users WHERE name = ?", {name}));
  return User{.id = rows[0].number(0), .name = rows[0].text(1), .display_name = rows[0].text(2)};
}

Result<std::optional<User>> Identity::WhoHas(std::string_view token) {
  // By the hash: how long the look-up takes says nothing of the token.
  FRESHET_TRY(auto rows,
              database_->Query("SELECT u.id, u.name, u.display_name FROM tokens t JOIN users u ON "
                               "u.id = t.user WHERE t.hash = ? AND (t.expires_at IS NULL OR "
                               "t.expires_at > ?)",
                               {HashOf(token), clock_->WallNow() / 1000}));
  if (rows.empty()) return std::optional<User>();
  return std::optional(
      User{.id = rows[0].number(0), .name = rows[0].text(1), .display_name = rows[0].text(2)});
}

Result<Identity::NewToken> Identity::AddToken(const User& user, const std::string& comment,
                                              std::optional<int64_t> lifetime_seconds,
                                              const std::function<Status(const Secret&)>& tell) {
  NewToken made{
      .text = catalog::NewToken(kTokenPrefix),
      .info = {.id = RandomHex(32), .comment = comment, .created_at = clock_->WallNow() / 1000}};
  if (lifetime_seconds) made.info.expires_at = made.info.created_at + *lifetime_seconds * 1000;
  if (tell) FRESHET_CHECK_OK(tell(made.text));
  FRESHET_CHECK_OK(database_->Execute(
      "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?)",
      {made.info.id, user.id, HashOf(made.text.Reveal()), comment, made.info.created_at,
       made.info.expires_at ? store::Parameter(*made.info.expires_at)
                            : store::Parameter(nullptr)}));
  return made;
}

Result<std::vector<TokenInfo>> Identity::Tokens(const User& user) {
  FRESHET_TRY(auto rows, database_->Query("SELECT id, comment, created_at, expires_at FROM tokens "
                                          "WHERE user = ? ORDER BY created_at, id",
                                          {user.id}));
  std::vector<TokenInfo> tokens;
  for (const auto& row : rows) tokens.push_back(InfoFrom(row));
  return tokens;
}

Status Identity::RemoveToken(const User& user, const std::string& id) {
  FRESHET_TRY(auto removed,
              database_->Execute("DELETE FROM tokens WHERE user = ? AND id = ?", {user.id, id}));
  if (removed == 0) return Error(ErrorClass::NOT_FOUND, "Token '{}' does not exist.", id);
  return Status::Ok();
}

Result<bool> Identity::HasTokens() {
  FRESHET_TRY(auto rows, database_->Query("SELECT 1 FROM tokens WHERE expires_at IS NULL OR "
                                          "expires_at > ? LIMIT 1",
                                          {clock_->WallNow() / 1000}));
  return !rows.empty();
}

}  // namespace freshet::catalog
