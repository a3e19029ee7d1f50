// SPDX-License-Identifier: Apache-2.0
// Grants and effective permissions. Source: the published Unity Catalog API, 2.1.
#include "api/context.h"

namespace freshet::api {
namespace {

using catalog::Kind;

/// What grants are kept under, and how it is called.
struct Target {
  std::string id, name, type;
};

/// Return the kind that the path's `{type}` is; nothing: the metastore. Errors: INVALID_ARGUMENT.
Result<std::optional<Kind>> KindOf(const Request& request) {
  auto type = catalog::Lower(request.part("type"));
  std::optional<Kind> kind;
  for (auto each :
       {Kind::kCatalog, Kind::kSchema, Kind::kTable, Kind::kVolume, Kind::kConnection}) {
    if (catalog::Lower(catalog::NameOf(each)) == type) kind = each;
  }
  if (!kind && type != "metastore") {
    return Error(ErrorClass::INVALID_ARGUMENT, "there is nothing to grant on a '{}'",
                 request.part("type"));
  }
  return kind;
}

/// Return the securable and all that it is in, innermost first; the last is the metastore.
Result<std::vector<Target>> TargetsOf(const Context& context, const Request& request) {
  std::vector<Target> targets;
  FRESHET_TRY(auto kind, KindOf(request));
  if (kind) {
    FRESHET_TRY(auto path, catalog::ParseFullName(request.part("name"), PartsOf(*kind)));
    for (auto at = *kind; !path.empty(); path.pop_back()) {
      FRESHET_TRY(auto found, context.catalog->Get(at, path));
      targets.push_back(
          {found.id, catalog::FullName(found.path), catalog::Lower(catalog::NameOf(at))});
      at = path.size() == 3 ? Kind::kSchema : Kind::kCatalog;
    }
  }
  targets.push_back({std::string(catalog::kMetastore), context.metastore_id, "metastore"});
  return targets;
}

/// Who may grant sees who was granted what; others see what was granted to themselves.
Result<Verdict> MayGrant(const Context& context, const Request& request) {
  FRESHET_TRY(auto kind, KindOf(request));
  if (!kind) {
    FRESHET_TRY(auto missing, context.access->CheckMetastore(request.user, "MANAGE"));
    return VerdictOf(missing);
  }
  FRESHET_TRY(auto path, catalog::ParseFullName(request.part("name"), PartsOf(*kind)));
  return CheckPrivilege(context, request.user, "MANAGE", *kind, path);
}

Result<Verdict> MayAsk(const Context& context, const Request& request) {
  FRESHET_TRY(auto kind, KindOf(request));
  if (!kind) return Verdict();
  FRESHET_TRY(auto path, catalog::ParseFullName(request.part("name"), PartsOf(*kind)));
  FRESHET_TRY(auto missing, context.access->CheckVisible(request.user, *kind, path));
  return VerdictOf(missing);
}

Result<std::vector<catalog::Assignment>> Told(const Context& context, const Request& request,
                                              const Target& target) {
  FRESHET_TRY(auto found, context.grants->Get(target.id, request.parameter("principal")));
  FRESHET_TRY(auto own_only, MayGrant(context, request));
  std::erase_if(found, [&](const catalog::Assignment& each) {
    return own_only && !request.user.names.contains(catalog::Lower(each.principal));
  });
  return found;
}

Json AssignmentsToJson(const std::vector<catalog::Assignment>& assignments) {
  auto list = Json::array();
  for (const auto& each : assignments)
    list.push_back({{"principal", each.principal}, {"privileges", each.privileges}});
  return {{"privilege_assignments", list}};
}

Result<Json> GetGrants(const Context& context, const Request& request) {
  FRESHET_TRY(auto targets, TargetsOf(context, request));
  FRESHET_TRY(auto found, Told(context, request, targets[0]));
  return AssignmentsToJson(found);
}

Result<Json> GetEffective(const Context& context, const Request& request) {
  FRESHET_TRY(auto targets, TargetsOf(context, request));
  std::map<std::string, Json> privileges;  // by principal
  for (size_t i = 0; i < targets.size(); ++i) {
    FRESHET_TRY(auto found, Told(context, request, targets[i]));
    for (const auto& assignment : found) {
      auto& list = privileges.try_emplace(assignment.principal, Json::array()).first->second;
      for (const auto& privilege : assignment.privileges) {
        Json each{{"privilege", privilege}};
        if (i > 0) {
          each["inherited_from_type"] = targets[i].type;
          each["inherited_from_name"] = targets[i].name;
        }
        list.push_back(std::move(each));
      }
    }
  }
  auto list = Json::array();
  for (const auto& [principal, each] : privileges)
    list.push_back({{"principal", principal}, {"privileges", each}});
  return Json{{"privilege_assignments", list}};
}

Result<Json> ChangeGrants(const Context& context, const Request& request) {
  FRESHET_TRY(auto targets, TargetsOf(context, request));
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  const auto* list = fields.Array("changes");
  FRESHET_CHECK_OK(fields.Finish());
  std::vector<catalog::GrantChange> changes;
  if (list != nullptr) {
    for (const auto& each : *list) {
      Fields change(each, "changes");
      changes.push_back({.principal = change.Required("principal"),
                         .add = change.List("add").value_or(std::vector<std::string>()),
                         .remove = change.List("remove").value_or(std::vector<std::string>())});
      FRESHET_CHECK_OK(change.Finish());
    }
  }
  FRESHET_CHECK_OK(context.grants->Apply(targets[0].id, changes));
  FRESHET_TRY(auto found, context.grants->Get(targets[0].id, ""));
  return AssignmentsToJson(found);
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
Assignments = {privilege_assignments: [{principal: text, privileges: [text]}]}
EffectivePrivilege = {privilege: text, inherited_from_type?: text, inherited_from_name?: text}

grants.get(principal?: text): Assignments -- Tells what was granted on something.
grants.update({changes?: [{principal: text, add?: [text], remove?: [text]}]}): Assignments -- Grants and revokes.
grants.get_effective(principal?: text):
  {privilege_assignments: [{principal: text, privileges: [EffectivePrivilege]}]} -- Tells what holds, inherited or not.
)";

}  // namespace

void AddGrants(const Context& context, Router* router) {
  router->Describe(kDescription);
  constexpr std::string_view kGrants = "/api/2.1/unity-catalog/permissions/{type}/{name}";
  const RouteAdder add(context, router);
  add("GET", kGrants, "grants.get", Rule::Of(MayAsk), GetGrants);
  add("PATCH", kGrants, "grants.update", Rule::Of(MayGrant), ChangeGrants);
  add("GET", "/api/2.1/unity-catalog/effective-permissions/{type}/{name}", "grants.get_effective",
      Rule::Of(MayAsk), GetEffective);
}

}  // namespace freshet::api
