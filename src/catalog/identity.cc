// SPDX-License-Identifier: Apache-2.0
#include "catalog/identity.h"

#include "base/random.h"
#include "base/server_limits.h"
#include "catalog/names.h"
#include "catalog/secret_box.h"

namespace freshet::catalog {
namespace {

constexpr std::string_view kTokenPrefix = "dapi", kSecretPrefix = "dose", kAccessPrefix = "doat";

TokenInfo InfoFrom(const store::Row& row) {
  TokenInfo info{.id = row.text(0), .comment = row.text(1), .created_at = row.number(2)};
  if (!row.is_null(3)) info.expires_at = row.number(3);
  info.owner = row.number(4);
  info.created_by = row.number(5);
  info.owner_name = row.text(6);
  info.created_by_name = row.text(7);
  return info;
}

Status NoToken(const std::string& id) {
  return Error(ErrorClass::NOT_FOUND, "Token '{}' does not exist.", id);
}

}  // namespace

Result<std::optional<Caller>> Identity::WhoHas(std::string_view token) {
  // By the hash: how long the look-up takes says nothing of the token.
  auto hash = HashOf(token);
  FRESHET_TRY(auto rows,
              database_->Query("SELECT principal FROM tokens WHERE hash = ? AND (expires_at IS "
                               "NULL OR expires_at > ?) UNION ALL SELECT s.principal FROM "
                               "access_tokens a JOIN client_secrets s ON s.id = a.secret WHERE "
                               "a.hash = ? AND a.expires_at > ?",
                               {hash, NowMs(), hash, NowMs()}));
  if (rows.empty()) return std::optional<Caller>();
  return principals_->CallerOf(rows[0].number(0));
}

Result<Identity::NewToken> Identity::AddToken(const TokenRequest& request) {
  NewToken made{.text = catalog::NewToken(kTokenPrefix),
                .info = {.id = RandomHex(32), .comment = request.comment, .created_at = NowMs()}};
  if (request.lifetime_seconds)
    made.info.expires_at = made.info.created_at + *request.lifetime_seconds * 1000;
  if (request.tell) FRESHET_CHECK_OK(request.tell(made.text));
  FRESHET_CHECK_OK(database_->Execute(
      "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?)",
      {made.info.id, request.owner, HashOf(made.text.Reveal()), request.comment,
       made.info.created_at,
       made.info.expires_at ? store::Parameter(*made.info.expires_at) : store::Parameter(nullptr),
       request.created_by}));
  return made;
}

Result<std::vector<TokenInfo>> Identity::Tokens(int64_t owner) {
  FRESHET_TRY(auto rows,
              database_->Query("SELECT t.id, t.comment, t.created_at, t.expires_at, t.principal, "
                               "t.created_by, p.name, c.name FROM tokens t JOIN principals p ON "
                               "p.id = t.principal LEFT JOIN principals c ON c.id = t.created_by "
                               "WHERE ? = 0 OR t.principal = ? ORDER BY t.created_at, t.id",
                               {owner, owner}));
  std::vector<TokenInfo> tokens;
  for (const auto& row : rows) tokens.push_back(InfoFrom(row));
  return tokens;
}

Status Identity::RemoveToken(int64_t owner, const std::string& id) {
  FRESHET_TRY(auto removed,
              database_->Execute("DELETE FROM tokens WHERE (? = 0 OR principal = ?) AND id = ?",
                                 {owner, owner, id}));
  return removed == 0 ? NoToken(id) : Status::Ok();
}

Status Identity::SetComment(int64_t owner, const std::string& id, const std::string& comment) {
  FRESHET_TRY(auto changed, database_->Execute("UPDATE tokens SET comment = ? WHERE (? = 0 OR "
                                               "principal = ?) AND id = ?",
                                               {comment, owner, owner, id}));
  return changed == 0 ? NoToken(id) : Status::Ok();
}

Result<bool> Identity::HasTokens() {
  FRESHET_TRY(auto rows, database_->Query("SELECT 1 FROM tokens WHERE expires_at IS NULL OR "
                                          "expires_at > ? LIMIT 1",
                                          {NowMs()}));
  return !rows.empty();
}

Result<Identity::NewClientSecret> Identity::AddClientSecret(int64_t service,
                                                            int64_t lifetime_seconds) {
  NewClientSecret made{.text = catalog::NewToken(kSecretPrefix),
                       .info = {.id = RandomUuid(), .created_at = NowMs()}};
  made.info.expires_at = made.info.created_at + lifetime_seconds * 1000;
  auto worked = database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(auto rows, session.Query("SELECT count(*) FROM client_secrets WHERE principal = ? "
                                         "AND expires_at > ?",
                                         {service, NowMs()}));
    if (rows[0].number(0) >= limits::kClientSecretsMax) {
      return Error(ErrorClass::INVALID_ARGUMENT, "a service principal has {} secrets at most",
                   limits::kClientSecretsMax)
          .WithRemedy("Delete one that is not used any more.");
    }
    return session
        .Execute("INSERT INTO client_secrets VALUES (?, ?, ?, ?, ?)",
                 {made.info.id, service, HashOf(made.text.Reveal()), made.info.created_at,
                  made.info.expires_at})
        .status();
  });
  FRESHET_CHECK_OK(worked);
  return made;
}

Result<std::vector<ClientSecretInfo>> Identity::ClientSecrets(int64_t service) {
  FRESHET_TRY(auto rows, database_->Query("SELECT id, created_at, expires_at FROM client_secrets "
                                          "WHERE principal = ? ORDER BY created_at, id",
                                          {service}));
  std::vector<ClientSecretInfo> secrets;
  for (const auto& row : rows) {
    secrets.push_back(
        {.id = row.text(0), .created_at = row.number(1), .expires_at = row.number(2)});
  }
  return secrets;
}

Status Identity::RemoveClientSecret(int64_t service, const std::string& id) {
  FRESHET_TRY(auto removed,
              database_->Execute("DELETE FROM client_secrets WHERE principal = ? AND id = ?",
                                 {service, id}));
  if (removed == 0) return Error(ErrorClass::NOT_FOUND, "Secret '{}' does not exist.", id);
  return Status::Ok();
}

Result<std::optional<Secret>> Identity::AddAccessToken(std::string_view application_id,
                                                       std::string_view secret) {
  std::optional<Secret> given;
  auto token = catalog::NewToken(kAccessPrefix);
  auto worked = database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(auto rows,
                session.Query("SELECT s.id FROM client_secrets s JOIN principals p ON p.id = "
                              "s.principal WHERE s.hash = ? AND p.key = ? AND p.kind = ? AND "
                              "p.active = 1 AND s.expires_at > ?",
                              {HashOf(secret), Lower(application_id),
                               static_cast<int64_t>(PrincipalKind::kService), NowMs()}));
    if (rows.empty()) return Status::Ok();
    FRESHET_CHECK_OK(session.Execute("DELETE FROM access_tokens WHERE expires_at <= ?", {NowMs()}));
    given = token;
    constexpr int64_t kLifetimeMs = limits::kAccessTokenLifetime / std::chrono::milliseconds(1);
    return session
        .Execute("INSERT INTO access_tokens VALUES (?, ?, ?)",
                 {HashOf(token.Reveal()), rows[0].text(0), NowMs() + kLifetimeMs})
        .status();
  });
  FRESHET_CHECK_OK(worked);
  return given;
}

}  // namespace freshet::catalog
