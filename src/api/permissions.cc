// SPDX-License-Identifier: Apache-2.0
// Permissions of pipelines. Source: the published Permissions API, 2.0.
#include <algorithm>

#include "api/acl.h"
#include "api/pipeline_access.h"

namespace freshet::api {
namespace {

using catalog::Permission;
using catalog::PrincipalKind;
using Entry = catalog::Permissions::Entry;

constexpr std::string_view kOwner = "IS_OWNER", kManage = "CAN_MANAGE";

/// Return what is said of the pipeline, its creator as the owner where nobody was named one.
Result<std::vector<Permission>> EntriesOf(const Context& context,
                                          const pipeline::PipelineRecord& pipeline) {
  FRESHET_TRY(auto entries, context.permissions->Get(PermissionObjectOf(pipeline)));
  auto owns = [](const Permission& each) { return each.level == kOwner; };
  if (std::ranges::any_of(entries, owns)) return entries;
  FRESHET_TRY(auto creator, context.principals->Find(pipeline.creator));
  if (creator) entries.push_back({.principal = *creator, .level = std::string(kOwner)});
  return entries;
}

Result<Json> AclOf(const Context& context, const pipeline::PipelineRecord& pipeline) {
  FRESHET_TRY(auto entries, EntriesOf(context, pipeline));
  Acl acl;
  for (const auto& entry : entries) acl.Add(entry.principal, entry.level);
  FRESHET_TRY(auto admins, context.principals->Find(catalog::kAdmins));
  if (admins) acl.Add(*admins, kManage, "/pipelines/");
  return std::move(acl).ToJson("pipelines", pipeline.id);
}

/// A pipeline has one owner, who is no group.
Result<std::vector<Permission>> ReadEntries(const Context& context, const Request& request) {
  FRESHET_TRY(auto wanted, ReadAcl(context, request, kPipelineLevels));
  int owners = 0;
  for (const auto& each : wanted) {
    if (each.level != kOwner) continue;
    if (++owners > 1) return Error(ErrorClass::INVALID_ARGUMENT, "a pipeline has one owner");
    if (each.principal.kind == PrincipalKind::kGroup) {
      return Error(ErrorClass::INVALID_ARGUMENT, "a group cannot own a pipeline: '{}'",
                   each.principal.name);
    }
  }
  return wanted;
}

Result<int64_t> OwnerOf(const Context& context, const pipeline::PipelineRecord& pipeline) {
  FRESHET_TRY(auto entries, EntriesOf(context, pipeline));
  for (const auto& each : entries) {
    if (each.level == kOwner) return each.principal.id;
  }
  return int64_t{0};
}

/// A pipeline goes to another by its owner's word, and the administrators'.
Result<Verdict> MayChange(const Context& context, const Request& request) {
  FRESHET_TRY(auto pipeline, context.book->Get(request.part("id")));
  FRESHET_TRY(auto wanted, ReadEntries(context, request));
  FRESHET_TRY(auto owner, OwnerOf(context, pipeline));
  for (const auto& each : wanted) {
    if (each.level == kOwner && each.principal.id != owner)
      return CheckPipeline(context, request.user, pipeline, kOwner);
    if (each.level != kOwner && each.principal.id == owner)
      return CheckPipeline(context, request.user, pipeline, kOwner);
  }
  return Verdict();
}

template <bool replace>
Result<Json> Change(const Context& context, const Request& request) {
  FRESHET_TRY(auto pipeline, context.book->Get(request.part("id")));
  FRESHET_TRY(auto wanted, ReadEntries(context, request));
  FRESHET_TRY(auto owner, OwnerOf(context, pipeline));
  std::vector<Entry> entries;
  bool other_owner = false, owner_demoted = false;
  for (const auto& each : wanted) {
    entries.push_back({.principal = each.principal.id, .level = each.level});
    other_owner |= each.level == kOwner && each.principal.id != owner;
    owner_demoted |= each.level != kOwner && each.principal.id == owner;
  }
  if (owner_demoted && !other_owner) {
    return Error(ErrorClass::INVALID_ARGUMENT, "the pipeline would have no owner")
        .WithRemedy("Name another one with IS_OWNER in the same request.");
  }
  if (!other_owner && owner != 0) {
    entries.push_back({.principal = owner, .level = std::string(kOwner)});
  } else if (!replace && owner != 0 && !owner_demoted) {
    // There is one owner: the former one still manages it.
    entries.push_back({.principal = owner, .level = std::string(kManage)});
  }
  FRESHET_CHECK_OK(context.permissions->Set(PermissionObjectOf(pipeline), entries, replace));
  return AclOf(context, pipeline);
}

Result<Json> GetPermissions(const Context& context, const Request& request) {
  FRESHET_TRY(auto pipeline, context.book->Get(request.part("id")));
  return AclOf(context, pipeline);
}

Result<Json> GetLevels(const Context&, const Request&) { return LevelsToJson(kPipelineLevels); }

/// As description.h says.
constexpr std::string_view kDescription = R"(
SentPermission = {user_name?: text, group_name?: text, service_principal_name?: text, permission_level: text}
SentPermissions = {access_control_list?: [SentPermission]}
Permission = {permission_level: text, inherited: flag, inherited_from_object?: [text]}
Permissions = {object_id: text, object_type: text,
  access_control_list: [{user_name?: text, group_name?: text, service_principal_name?: text, display_name?: text,
    all_permissions: [Permission]}]}
PermissionLevels = {permission_levels: [{permission_level: text, description: text}]}

pipelines.get_permissions(): Permissions -- Tells who may do what with a pipeline.
pipelines.set_permissions(SentPermissions): Permissions -- Replaces what was said of that.
pipelines.update_permissions(SentPermissions): Permissions -- Adds to what was said of that.
pipelines.get_permission_levels(): PermissionLevels -- Lists the levels that there are.
)";

}  // namespace

void AddPermissions(const Context& context, Router* router) {
  router->Describe(kDescription);
  constexpr std::string_view kOne = "/api/2.0/permissions/pipelines/{id}",
                             kLevels = "/api/2.0/permissions/pipelines/{id}/permissionLevels";
  const RouteAdder add(context, router);
  add("GET", kOne, "pipelines.get_permissions", Rule::OnPipeline("CAN_VIEW"), GetPermissions);
  add("PUT", kOne, "pipelines.set_permissions", Rule::OnPipeline(kManage).And(MayChange),
      Change<true>);
  add("PATCH", kOne, "pipelines.update_permissions", Rule::OnPipeline(kManage).And(MayChange),
      Change<false>);
  add("GET", kLevels, "pipelines.get_permission_levels", Rule::OnPipeline("CAN_VIEW"), GetLevels);
}

}  // namespace freshet::api
