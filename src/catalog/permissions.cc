// SPDX-License-Identifier: Apache-2.0
#include "catalog/permissions.h"

#include "base/json.h"

namespace freshet::catalog {

Result<std::vector<Permission>> Permissions::Get(const std::string& object) {
  FRESHET_TRY(auto rows, database_->Query("SELECT p.id, p.kind, p.name, p.display_name, e.level "
                                          "FROM permissions e JOIN principals p ON p.id = "
                                          "e.principal WHERE e.object = ? ORDER BY p.id",
                                          {object}));
  std::vector<Permission> permissions;
  for (const auto& row : rows) {
    permissions.push_back({.principal = {.id = row.number(0),
                                         .kind = static_cast<PrincipalKind>(row.number(1)),
                                         .name = row.text(2),
                                         .display_name = row.text(3)},
                           .level = row.text(4)});
  }
  return permissions;
}

Result<std::vector<std::string>> Permissions::Held(const std::vector<std::string>& objects,
                                                   const std::set<std::string>& names) {
  FRESHET_TRY(auto rows, database_->Query(
                             "SELECT e.level FROM permissions e JOIN principals p ON p.id = "
                             "e.principal WHERE e.object IN (SELECT value FROM json_each(?)) "
                             "AND p.key IN (SELECT value FROM json_each(?))",
                             {JsonText(nlohmann::json(objects)), JsonText(nlohmann::json(names))}));
  std::vector<std::string> levels;
  for (const auto& row : rows) levels.push_back(row.text(0));
  return levels;
}

Status Permissions::Set(const std::string& object, const std::vector<Entry>& entries, bool all) {
  return database_->Write([&](store::Session& session) -> Status {
    if (all)
      FRESHET_CHECK_OK(session.Execute("DELETE FROM permissions WHERE object = ?", {object}));
    for (const auto& entry : entries) {
      FRESHET_CHECK_OK(session.Execute("INSERT OR REPLACE INTO permissions VALUES (?, ?, ?)",
                                       {object, entry.principal, entry.level}));
    }
    return Status::Ok();
  });
}

Status Permissions::Remove(const std::string& object) {
  return database_->Execute("DELETE FROM permissions WHERE object = ?", {object}).status();
}

}  // namespace freshet::catalog
