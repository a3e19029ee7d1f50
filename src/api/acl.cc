// SPDX-License-Identifier: Apache-2.0
#include "api/acl.h"

#include <algorithm>

namespace freshet::api {
namespace {

using catalog::Permission;
using catalog::PrincipalKind;

std::string_view FieldOf(PrincipalKind kind) {
  switch (kind) {
    case PrincipalKind::kUser:
      return "user_name";
    case PrincipalKind::kGroup:
      return "group_name";
    case PrincipalKind::kService:
      return "service_principal_name";
  }
  return "";
}

Result<Permission> ReadEntry(const Context& context, const Json& item, Levels levels) {
  Fields fields(item, "access_control_list");
  std::optional<std::string> name;
  int said = 0;
  for (const auto* field : {"user_name", "group_name", "service_principal_name"}) {
    if (auto text = fields.Text(field)) {
      name = text;
      ++said;
    }
  }
  if (said != 1)
    fields.Fail("user_name", "is given, or group_name, or service_principal_name: one of them");
  auto level = fields.Required("permission_level");
  auto known = [&](const Level& each) { return each.name == level; };
  if (std::ranges::none_of(levels, known))
    fields.Fail("permission_level", "is none of this object's: '" + level + "'");
  FRESHET_CHECK_OK(fields.Finish());
  FRESHET_TRY(auto principal, context.principals->Find(*name));
  if (!principal || !item.contains(std::string(FieldOf(principal->kind))))
    return Error(ErrorClass::NOT_FOUND, "Principal '{}' does not exist.", *name);
  return Permission{.principal = *principal, .level = level};
}

}  // namespace

void Acl::Add(const catalog::Principal& principal, std::string_view level,
              const std::string& from) {
  auto found = std::ranges::find_if(
      entries_, [&](const Entry& each) { return each.principal.id == principal.id; });
  if (found == entries_.end()) {
    entries_.emplace_back().principal = principal;
    found = std::prev(entries_.end());
  }
  Json permission{{"permission_level", level}, {"inherited", !from.empty()}};
  if (!from.empty()) permission["inherited_from_object"] = Json::array({from});
  found->permissions.push_back(std::move(permission));
}

Json Acl::ToJson(const std::string& type, const std::string& id) && {
  auto list = Json::array();
  for (auto& entry : entries_) {
    Json json{{FieldOf(entry.principal.kind), entry.principal.name}};
    if (!entry.principal.display_name.empty()) json["display_name"] = entry.principal.display_name;
    json["all_permissions"] = std::move(entry.permissions);
    list.push_back(std::move(json));
  }
  return {{"object_id", fmt::format("/{}/{}", type, id)},
          {"object_type", type},
          {"access_control_list", list}};
}

Result<std::vector<Permission>> ReadAcl(const Context& context, const Request& request,
                                        Levels levels) {
  FRESHET_TRY(auto body, ParseBody(request.body));
  Fields fields(body);
  const auto* list = fields.Array("access_control_list");
  FRESHET_CHECK_OK(fields.Finish());
  std::vector<Permission> wanted;
  if (list == nullptr) return wanted;
  for (const auto& item : *list) {
    FRESHET_TRY(auto entry, ReadEntry(context, item, levels));
    wanted.push_back(std::move(entry));
  }
  return wanted;
}

Json LevelsToJson(Levels levels) {
  auto list = Json::array();
  for (const auto& level : levels)
    list.push_back({{"permission_level", level.name}, {"description", level.description}});
  return {{"permission_levels", list}};
}

}  // namespace freshet::api
