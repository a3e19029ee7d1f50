// SPDX-License-Identifier: Apache-2.0
#include "catalog/principals.h"

#include <algorithm>

#include "base/server_limits.h"
#include "catalog/names.h"

namespace freshet::catalog {
namespace {

constexpr char kColumns[] =
    "p.id, p.kind, p.name, p.display_name, p.external_id, p.active, p.details";
/// What catalogs of the product are granted to when everybody is meant.
constexpr std::string_view kEverybodyElsewhere = "account users";

Principal FromRow(const store::Row& row) {
  return {.id = row.number(0),
          .kind = static_cast<PrincipalKind>(row.number(1)),
          .name = row.text(2),
          .display_name = row.text(3),
          .external_id = row.text(4),
          .active = row.number(5) != 0,
          .details = row.text(6)};
}

std::vector<Principal> FromRows(const std::vector<store::Row>& rows) {
  std::vector<Principal> principals;
  for (const auto& row : rows) principals.push_back(FromRow(row));
  return principals;
}

int64_t Number(PrincipalKind kind) { return static_cast<int64_t>(kind); }

Status DoesNotExist(PrincipalKind kind, int64_t id) {
  return Error(ErrorClass::NOT_FOUND, "{} with id {} not found.", NameOf(kind), id);
}

Status Taken(std::string_view name) {
  return Error(ErrorClass::ALREADY_EXISTS, "a principal of this name exists already: '{}'", name)
      .WithRemedy("Choose another name: no user, group and service principal may share one.");
}

Status CheckName(PrincipalKind kind, std::string_view name) {
  auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  bool good = !name.empty() && name.size() <= limits::kNameBytesMax && name.front() != ' ' &&
              name.back() != ' ' && std::ranges::none_of(name, control);
  if (good) return Status::Ok();
  return Error(ErrorClass::INVALID_ARGUMENT, "{} name is none: '{}'", NameOf(kind),
               name.substr(0, limits::kNameBytesMax));
}

bool IsBuiltIn(const Principal& principal) {
  return principal.kind == PrincipalKind::kGroup &&
         (principal.name == kAdmins || principal.name == kEverybody);
}

Result<Principal> Find(store::Session& session, PrincipalKind kind, int64_t id) {
  FRESHET_TRY(
      auto rows,
      session.Query(fmt::format("SELECT {} FROM principals p WHERE id = ? AND kind = ?", kColumns),
                    {id, Number(kind)}));
  if (rows.empty()) return DoesNotExist(kind, id);
  return FromRow(rows[0]);
}

/// Who cannot be locked out by themselves either.
Status CheckAdministrators(store::Session& session) {
  FRESHET_TRY(auto rows, session.Query(R"(
WITH RECURSIVE within (id) AS (SELECT id FROM principals WHERE key = 'admins'
  UNION SELECT m.member FROM members m JOIN within ON m.team = within.id)
SELECT count(*) FROM principals p JOIN within ON p.id = within.id WHERE p.kind <> 2 AND p.active = 1)"));
  if (rows[0].number(0) > 0) return Status::Ok();
  return Error(ErrorClass::INVALID_ARGUMENT, "no active administrator would be left")
      .WithRemedy("Make another user a member of the group admins first.");
}

/// A group that is in itself would make nobody a member who is not one anyway, and every look-up
/// longer.
Status CheckCircles(store::Session& session, int64_t group) {
  FRESHET_TRY(auto rows, session.Query(R"(
WITH RECURSIVE within (id) AS (SELECT member FROM members WHERE team = ?
  UNION SELECT m.member FROM members m JOIN within ON m.team = within.id)
SELECT 1 FROM within WHERE id = ?)",
                                       {group, group}));
  if (rows.empty()) return Status::Ok();
  return Error(ErrorClass::INVALID_ARGUMENT, "a group would be a member of itself: {}", group);
}

Status AddMembers(store::Session& session, int64_t group, const std::vector<int64_t>& members) {
  for (auto member : members) {
    FRESHET_TRY(auto known,
                session.Query("SELECT name, kind FROM principals WHERE id = ?", {member}));
    if (known.empty())
      return Error(ErrorClass::INVALID_ARGUMENT, "there is no principal with the id {}", member);
    bool group_of_all =
        known[0].number(1) == Number(PrincipalKind::kGroup) && known[0].text(0) == kEverybody;
    if (group_of_all) {
      return Error(ErrorClass::INVALID_ARGUMENT, "the group {} cannot be a member of another",
                   kEverybody);
    }
    FRESHET_CHECK_OK(
        session.Execute("INSERT OR IGNORE INTO members VALUES (?, ?)", {group, member}));
  }
  return members.empty() ? Status::Ok() : CheckCircles(session, group);
}

Status ChangeMembers(store::Session& session, const Principal& group,
                     const PrincipalChange& change) {
  bool asked = change.set_members || !change.add_members.empty() || !change.remove_members.empty();
  if (!asked) return Status::Ok();
  if (group.kind != PrincipalKind::kGroup)
    return Error(ErrorClass::INVALID_ARGUMENT, "only groups have members");
  if (group.name == kEverybody) {
    return Error(ErrorClass::INVALID_ARGUMENT, "everybody is a member of the group {}", kEverybody);
  }
  if (change.set_members) {
    FRESHET_CHECK_OK(session.Execute("DELETE FROM members WHERE team = ?", {group.id}));
    FRESHET_CHECK_OK(AddMembers(session, group.id, *change.set_members));
  }
  FRESHET_CHECK_OK(AddMembers(session, group.id, change.add_members));
  for (auto member : change.remove_members) {
    FRESHET_CHECK_OK(
        session.Execute("DELETE FROM members WHERE team = ? AND member = ?", {group.id, member}));
  }
  return Status::Ok();
}

/// Grants and owners go by names. What was granted to the new name before it was anybody's stays.
Status Rename(store::Session& session, const std::string& from, const std::string& to) {
  FRESHET_CHECK_OK(
      session.Execute("UPDATE OR IGNORE grants SET key = ?, principal = ? WHERE key = ?",
                      {Lower(to), to, Lower(from)}));
  FRESHET_CHECK_OK(session.Execute("DELETE FROM grants WHERE key = ?", {Lower(from)}));
  return session
      .Execute("UPDATE securables SET owner = ? WHERE lower(owner) = ?", {to, Lower(from)})
      .status();
}

/// What somebody who is deleted kept in the workspace is the administrators' from then on: his own
/// folder gets another name, so that it is not the one of another of his name.
Status PutAside(store::Session& session, const Principal& gone) {
  auto home = "/Users/" + gone.name, key = Lower(home);
  auto mark = fmt::format(".deleted-{}", gone.id);
  auto size = static_cast<int64_t>(home.size());
  FRESHET_CHECK_OK(session.Execute(
      "UPDATE workspace SET created_by = '' WHERE lower(created_by) = ?", {Lower(gone.name)}));
  // In bytes: a path may hold letters of several.
  constexpr std::string_view kMove =
      "UPDATE workspace SET path = CAST(substr(CAST(path AS BLOB), 1, ?) AS TEXT) || ? || "
      "CAST(substr(CAST(path AS BLOB), ?) AS TEXT), parent = CASE WHEN lower(path) = ? THEN parent "
      "ELSE CAST(substr(CAST(parent AS BLOB), 1, ?) AS TEXT) || ? || CAST(substr(CAST(parent AS "
      "BLOB), ?) AS TEXT) END WHERE lower(path) = ? OR (lower(path) > ? AND lower(path) < ?)";
  return session
      .Execute(kMove, {size, mark, size + 1, key, size, mark, size + 1, key, key + "/", key + "0"})
      .status();
}

/// The column or expression of a field; none of these words is a client's.
std::string_view ColumnOf(const std::string& field) {
  if (field == "name") return "p.key";
  if (field == "display_name") return "lower(p.display_name)";
  if (field == "external_id") return "lower(p.external_id)";
  return "CAST(p.id AS TEXT)";
}

void AddCondition(const PrincipalCondition& condition, std::string* sql,
                  std::vector<store::Parameter>* values) {
  using Operation = PrincipalCondition::Operation;
  auto column = ColumnOf(condition.field);
  switch (condition.operation) {
    case Operation::kEquals:
      *sql += fmt::format("{} = ?", column);
      break;
    case Operation::kDiffers:
      *sql += fmt::format("{} <> ?", column);
      break;
    case Operation::kContains:
      *sql += fmt::format("instr({}, ?) > 0", column);
      break;
    case Operation::kBegins:
      *sql += fmt::format("instr({}, ?) = 1", column);
      break;
  }
  values->emplace_back(Lower(condition.value));
}

std::string ConditionsOf(const PrincipalRequest& request, std::vector<store::Parameter>* values) {
  std::string sql;
  for (const auto& all_of : request.any_of) {
    std::string conditions;
    for (const auto& condition : all_of) {
      if (!conditions.empty()) conditions += " AND ";
      AddCondition(condition, &conditions, values);
    }
    sql += fmt::format("{}({})", sql.empty() ? "" : " OR ", conditions);
  }
  return sql.empty() ? "" : fmt::format(" AND ({})", sql);
}

}  // namespace

std::string_view NameOf(PrincipalKind kind) {
  switch (kind) {
    case PrincipalKind::kUser:
      return "User";
    case PrincipalKind::kGroup:
      return "Group";
    case PrincipalKind::kService:
      return "Service principal";
  }
  return "";
}

Result<Principal> Principals::Create(Principal principal, const std::vector<int64_t>& members) {
  FRESHET_CHECK_OK(CheckName(principal.kind, principal.name));
  auto key = Lower(principal.name);
  if (key == kEverybodyElsewhere) return Taken(principal.name);
  auto worked = database_->Write([&](store::Session& session) -> Status {
    auto made = session.Execute(
        "INSERT INTO principals (kind, key, name, display_name, external_id, active, details) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        {Number(principal.kind), key, principal.name, principal.display_name, principal.external_id,
         int64_t{principal.active}, principal.details});
    if (made.status().Is(ErrorClass::ALREADY_EXISTS)) return Taken(principal.name);
    FRESHET_CHECK_OK(made);
    FRESHET_TRY(auto rows, session.Query("SELECT id FROM principals WHERE key = ?", {key}));
    principal.id = rows[0].number(0);
    return ChangeMembers(session, principal, {.add_members = members});
  });
  FRESHET_CHECK_OK(worked);
  return principal;
}

Result<Principal> Principals::Get(PrincipalKind kind, int64_t id) {
  Principal found;
  auto worked = database_->Read([&](store::Session& session) -> Status {
    FRESHET_TRY(found, catalog::Find(session, kind, id));
    return Status::Ok();
  });
  FRESHET_CHECK_OK(worked);
  return found;
}

Result<std::optional<Principal>> Principals::Find(std::string_view name) {
  FRESHET_TRY(auto rows,
              database_->Query(fmt::format("SELECT {} FROM principals p WHERE key = ?", kColumns),
                               {Lower(name)}));
  if (rows.empty()) return std::optional<Principal>();
  return std::optional(FromRow(rows[0]));
}

Result<PrincipalPage> Principals::List(PrincipalKind kind, const PrincipalRequest& request) {
  std::vector<store::Parameter> values{Number(kind)};
  auto conditions = ConditionsOf(request, &values);
  PrincipalPage page;
  auto worked = database_->Read([&](store::Session& session) -> Status {
    FRESHET_TRY(
        auto counted,
        session.Query(fmt::format("SELECT count(*) FROM principals p WHERE kind = ?{}", conditions),
                      values));
    page.total = counted[0].number(0);
    values.emplace_back(request.rows);
    values.emplace_back(request.skip);
    auto order = request.order == "id" ? "p.id" : ColumnOf(request.order);
    FRESHET_TRY(
        auto rows,
        session.Query(fmt::format("SELECT {} FROM principals p WHERE kind = ?{} ORDER BY "
                                  "{} {}, p.id LIMIT ? OFFSET ?",
                                  kColumns, conditions, order, request.descending ? "DESC" : "ASC"),
                      values));
    page.items = FromRows(rows);
    return Status::Ok();
  });
  FRESHET_CHECK_OK(worked);
  return page;
}

Result<Principal> Principals::Alter(PrincipalKind kind, int64_t id, const PrincipalChange& change) {
  Principal altered;
  auto worked = database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(altered, catalog::Find(session, kind, id));
    auto former = altered.name;
    if (change.name && *change.name != former) {
      FRESHET_CHECK_OK(CheckName(kind, *change.name));
      if (IsBuiltIn(altered) || kind != PrincipalKind::kGroup)
        return Error(ErrorClass::INVALID_ARGUMENT, "the name of {} cannot be changed", former);
      if (Lower(*change.name) == kEverybodyElsewhere) return Taken(*change.name);
      altered.name = *change.name;
      FRESHET_CHECK_OK(Rename(session, former, altered.name));
    }
    if (change.display_name) altered.display_name = *change.display_name;
    if (change.external_id) altered.external_id = *change.external_id;
    if (change.details) altered.details = *change.details;
    if (change.active) altered.active = *change.active;
    auto done = session.Execute(
        "UPDATE principals SET key = ?, name = ?, display_name = ?, external_id = ?, active = ?, "
        "details = ? WHERE id = ?",
        {Lower(altered.name), altered.name, altered.display_name, altered.external_id,
         int64_t{altered.active}, altered.details, id});
    if (done.status().Is(ErrorClass::ALREADY_EXISTS)) return Taken(altered.name);
    FRESHET_CHECK_OK(done);
    FRESHET_CHECK_OK(ChangeMembers(session, altered, change));
    return CheckAdministrators(session);
  });
  FRESHET_CHECK_OK(worked);
  return altered;
}

Status Principals::Remove(PrincipalKind kind, int64_t id) {
  return database_->Write([&](store::Session& session) -> Status {
    FRESHET_TRY(auto found, catalog::Find(session, kind, id));
    if (IsBuiltIn(found))
      return Error(ErrorClass::INVALID_ARGUMENT, "the group {} cannot be deleted", found.name);
    auto key = Lower(found.name);
    FRESHET_CHECK_OK(session.Execute("DELETE FROM grants WHERE key = ?", {key}));
    FRESHET_CHECK_OK(
        session.Execute("UPDATE securables SET owner = ? WHERE lower(owner) = ?", {kAdmins, key}));
    FRESHET_CHECK_OK(PutAside(session, found));
    // Whose owner is nobody would be its creator's, or another's of his name.
    FRESHET_CHECK_OK(session.Execute(
        "UPDATE OR REPLACE permissions SET principal = (SELECT id FROM principals WHERE key = "
        "'admins') WHERE principal = ? AND level = 'IS_OWNER'",
        {id}));
    FRESHET_CHECK_OK(session.Execute("DELETE FROM principals WHERE id = ?", {id}));
    return CheckAdministrators(session);
  });
}

Result<std::vector<Principal>> Principals::Members(int64_t group) {
  FRESHET_TRY(auto rows, database_->Query(fmt::format("SELECT {} FROM members m JOIN principals p "
                                                      "ON p.id = m.member WHERE m.team = ? "
                                                      "ORDER BY p.id",
                                                      kColumns),
                                          {group}));
  return FromRows(rows);
}

Result<std::vector<Principal>> Principals::GroupsOf(const Principal& principal) {
  FRESHET_TRY(auto rows,
              database_->Query(
                  fmt::format("SELECT {} FROM principals p WHERE p.id IN (SELECT team "
                              "FROM members WHERE member = ?) OR (p.key = ? AND ?) "
                              "ORDER BY p.id",
                              kColumns),
                  {principal.id, kEverybody, int64_t{principal.kind != PrincipalKind::kGroup}}));
  return FromRows(rows);
}

Result<std::optional<Caller>> Principals::CallerOf(int64_t id) {
  FRESHET_TRY(auto rows, database_->Query(fmt::format(R"(
WITH RECURSIVE above (id) AS (SELECT ? UNION SELECT m.team FROM members m JOIN above ON m.member = above.id)
SELECT {}, p.key FROM principals p JOIN above ON p.id = above.id)",
                                                      kColumns),
                                          {id}));
  std::optional<Caller> caller;
  Caller found{.names = {std::string(kEverybody), std::string(kEverybodyElsewhere)}};
  for (const auto& row : rows) {
    auto principal = FromRow(row);
    found.names.insert(row.text(7));
    if (principal.id != id) continue;
    if (!principal.active || principal.kind == PrincipalKind::kGroup) return caller;
    found.id = id;
    found.name = principal.name;
    found.display_name = principal.display_name;
    found.kind = principal.kind;
  }
  if (found.id == 0) return caller;
  found.admin = found.names.contains(std::string(kAdmins));
  caller = std::move(found);
  return caller;
}

Result<Principal> Principals::EnsureAdministrator(const std::string& name,
                                                  const std::string& display_name) {
  FRESHET_TRY(auto found, Find(name));
  if (!found) {
    FRESHET_TRY(found, Create({.name = name, .display_name = display_name}));
  }
  FRESHET_TRY(auto admins, Find(kAdmins));
  FRESHET_CHECK_OK(Alter(PrincipalKind::kGroup, admins->id, {.add_members = {found->id}}));
  if (!found->active) return Alter(found->kind, found->id, {.active = true});
  return *found;
}

}  // namespace freshet::catalog
