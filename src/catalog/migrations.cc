// SPDX-License-Identifier: Apache-2.0
// The steps by which this module's tables came to be.
#include <array>

#include "catalog/catalog.h"

namespace freshet::catalog {
namespace {

constexpr std::string_view kFirst = R"(
CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE secrets (owner TEXT NOT NULL, name TEXT NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (owner, name));
CREATE TABLE securables (id TEXT PRIMARY KEY, kind INTEGER NOT NULL, key TEXT NOT NULL, parent TEXT NOT NULL,
  path TEXT NOT NULL, owner TEXT NOT NULL, comment TEXT NOT NULL, properties TEXT NOT NULL, options TEXT NOT NULL,
  facts TEXT NOT NULL, created_at INTEGER NOT NULL, created_by TEXT NOT NULL, updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL, UNIQUE (kind, key));
CREATE INDEX securables_by_parent ON securables (kind, parent, key);
CREATE TABLE grants (securable TEXT NOT NULL, principal TEXT NOT NULL, privilege TEXT NOT NULL,
  PRIMARY KEY (securable, principal, privilege));
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL);
CREATE TABLE tokens (id TEXT PRIMARY KEY, user INTEGER NOT NULL REFERENCES users (id), hash TEXT NOT NULL UNIQUE,
  comment TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER);
)";

/// Users become principals, beside groups and service principals; who was there administers. Kinds:
/// 1 a user, 2 a group, 3 a service principal.
constexpr std::string_view kPrincipals = R"(
CREATE TABLE principals (id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, key TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL, display_name TEXT NOT NULL, external_id TEXT NOT NULL, active INTEGER NOT NULL,
  details TEXT NOT NULL);
INSERT INTO principals SELECT id, 1, lower(name), name, display_name, '', 1, '{}' FROM users;
INSERT INTO principals (kind, key, name, display_name, external_id, active, details)
  VALUES (2, 'admins', 'admins', 'admins', '', 1, '{}'), (2, 'users', 'users', 'users', '', 1, '{}');
CREATE TABLE members (team INTEGER NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
  member INTEGER NOT NULL REFERENCES principals (id) ON DELETE CASCADE, PRIMARY KEY (team, member));
CREATE INDEX members_by_member ON members (member);
INSERT INTO members SELECT (SELECT id FROM principals WHERE key = 'admins'), id FROM users;
ALTER TABLE tokens RENAME TO former_tokens;
CREATE TABLE tokens (id TEXT PRIMARY KEY, principal INTEGER NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
  hash TEXT NOT NULL UNIQUE, comment TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER,
  created_by INTEGER NOT NULL);
INSERT INTO tokens SELECT id, user, hash, comment, created_at, expires_at, user FROM former_tokens;
DROP TABLE former_tokens;
DROP TABLE users;
CREATE INDEX tokens_by_principal ON tokens (principal);
CREATE TABLE client_secrets (id TEXT PRIMARY KEY,
  principal INTEGER NOT NULL REFERENCES principals (id) ON DELETE CASCADE, hash TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL);
CREATE INDEX client_secrets_by_principal ON client_secrets (principal);
CREATE TABLE access_tokens (hash TEXT PRIMARY KEY,
  secret TEXT NOT NULL REFERENCES client_secrets (id) ON DELETE CASCADE, expires_at INTEGER NOT NULL);
CREATE INDEX access_tokens_by_secret ON access_tokens (secret);
ALTER TABLE grants RENAME TO former_grants;
CREATE TABLE grants (securable TEXT NOT NULL, key TEXT NOT NULL, principal TEXT NOT NULL, privilege TEXT NOT NULL,
  PRIMARY KEY (securable, key, privilege));
INSERT OR IGNORE INTO grants SELECT securable, lower(principal), principal, privilege FROM former_grants;
DROP TABLE former_grants;
CREATE TABLE permissions (object TEXT NOT NULL, principal INTEGER NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
  level TEXT NOT NULL, PRIMARY KEY (object, principal));
CREATE INDEX permissions_by_principal ON permissions (principal);
)";

constexpr std::string_view kAudit = R"(
CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, key TEXT NOT NULL,
  principal TEXT NOT NULL, client TEXT NOT NULL, operation TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
  parameters TEXT NOT NULL, status INTEGER NOT NULL, error_code TEXT NOT NULL, result TEXT NOT NULL);
CREATE INDEX audit_by_principal ON audit (key, number);
CREATE INDEX audit_by_time ON audit (at);
)";

constexpr std::string_view kWorkspace = R"(
CREATE TABLE workspace (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, parent TEXT NOT NULL,
  folder INTEGER NOT NULL, size INTEGER NOT NULL, created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL,
  created_by TEXT NOT NULL);
CREATE INDEX workspace_by_parent ON workspace (parent, path);
CREATE TABLE workspace_contents (id INTEGER PRIMARY KEY REFERENCES workspace (id) ON DELETE CASCADE,
  content BLOB NOT NULL);
INSERT INTO workspace (path, parent, folder, size, created_at, modified_at, created_by)
  VALUES ('/', '/', 1, 0, 0, 0, ''), ('/Shared', '/', 1, 0, 0, 0, ''), ('/Users', '/', 1, 0, 0, 0, '');
)";

constexpr std::array<std::string_view, 4> kSteps{kFirst, kPrincipals, kAudit, kWorkspace};

}  // namespace

const store::Migrations kMigrations{.module = "catalog", .steps = kSteps};

}  // namespace freshet::catalog
