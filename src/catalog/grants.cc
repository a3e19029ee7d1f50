// SPDX-License-Identifier: Apache-2.0
#include "catalog/grants.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "catalog/names.h"

namespace freshet::catalog {
namespace {

constexpr std::array<std::string_view, 19> kPrivileges{"ALL_PRIVILEGES",
                                                       "APPLY_TAG",
                                                       "BROWSE",
                                                       "CREATE_CATALOG",
                                                       "CREATE_CONNECTION",
                                                       "CREATE_FOREIGN_CATALOG",
                                                       "CREATE_SCHEMA",
                                                       "CREATE_TABLE",
                                                       "CREATE_VOLUME",
                                                       "EXTERNAL_USE_SCHEMA",
                                                       "MANAGE",
                                                       "MODIFY",
                                                       "READ_VOLUME",
                                                       "REFRESH",
                                                       "SELECT",
                                                       "USE_CATALOG",
                                                       "USE_CONNECTION",
                                                       "USE_SCHEMA",
                                                       "WRITE_VOLUME"};

Status Check(const GrantChange& change) {
  if (change.principal.empty()) return Error(ErrorClass::INVALID_ARGUMENT, "principal is missing");
  for (const auto* list : {&change.add, &change.remove}) {
    for (const auto& privilege : *list) {
      if (!IsPrivilege(privilege))
        return Error(ErrorClass::INVALID_ARGUMENT, "no such privilege: '{}'", privilege);
    }
  }
  for (const auto& privilege : change.add) {
    if (std::ranges::find(change.remove, privilege) != change.remove.end()) {
      return Error(ErrorClass::INVALID_ARGUMENT, "{} is both added and removed for '{}'", privilege,
                   change.principal);
    }
  }
  return Status::Ok();
}

}  // namespace

bool IsPrivilege(std::string_view name) {
  return std::ranges::find(kPrivileges, name) != kPrivileges.end();
}

Result<std::vector<Assignment>> Grants::Get(const std::string& securable,
                                            const std::string& principal) {
  FRESHET_TRY(auto rows,
              database_->Query("SELECT principal, privilege, key FROM grants WHERE securable = ? "
                               "AND (? = '' OR key = ?) ORDER BY key, privilege",
                               {securable, principal, Lower(principal)}));
  std::string last;
  std::vector<Assignment> assignments;
  for (const auto& row : rows) {
    if (assignments.empty() || row.text(2) != last)
      assignments.push_back({.principal = row.text(0), .privileges = {}});
    assignments.back().privileges.push_back(row.text(1));
    last = row.text(2);
  }
  return assignments;
}

Result<std::map<std::string, std::set<std::string>>> Grants::Held(
    const std::vector<std::string>& securables, const std::set<std::string>& names) {
  FRESHET_TRY(
      auto rows,
      database_->Query("SELECT securable, privilege FROM grants WHERE securable IN (SELECT "
                       "value FROM json_each(?)) AND key IN (SELECT value FROM "
                       "json_each(?))",
                       {JsonText(nlohmann::json(securables)), JsonText(nlohmann::json(names))}));
  std::map<std::string, std::set<std::string>> held;
  for (const auto& row : rows) held[row.text(0)].insert(row.text(1));
  return held;
}

Status Grants::Apply(const std::string& securable, const std::vector<GrantChange>& changes) {
  for (const auto& change : changes) FRESHET_CHECK_OK(Check(change));
  return database_->Write([&](store::Session& session) -> Status {
    for (const auto& change : changes) {
      for (const auto& privilege : change.add) {
        FRESHET_CHECK_OK(
            session.Execute("INSERT OR IGNORE INTO grants VALUES (?, ?, ?, ?)",
                            {securable, Lower(change.principal), change.principal, privilege}));
      }
      for (const auto& privilege : change.remove) {
        FRESHET_CHECK_OK(
            session.Execute("DELETE FROM grants WHERE securable = ? AND key = ? AND privilege = ?",
                            {securable, Lower(change.principal), privilege}));
      }
    }
    return Status::Ok();
  });
}

}  // namespace freshet::catalog
