// SPDX-License-Identifier: Apache-2.0
// Permissions of the workspace's folders and files. Source: the published Permissions API, 2.0.
#include "api/acl.h"
#include "api/workspace_access.h"

namespace freshet::api {
namespace {

using catalog::WorkspaceObject;

std::string_view TypeOf(const WorkspaceObject& object) {
  return object.folder ? "directories" : "files";
}

std::string KeptUnder(const WorkspaceObject& object) {
  return fmt::format("{}/{}", TypeOf(object), object.id);
}

template <bool folder>
Result<WorkspaceObject> Named(const Context& context, const Request& request) {
  auto id = NumberOf(request.part("id"));
  std::optional<WorkspaceObject> found;
  if (id.ok()) {
    FRESHET_TRY(found, context.workspace->FindById(*id));
  }
  if (found && found->folder == folder) return *found;
  return Error(ErrorClass::NOT_FOUND, "{} with id {} does not exist.",
               folder ? "Directory" : "File", request.part("id"));
}

template <bool folder>
Rule On(std::string_view level) {
  return Rule::Of([level](const Context& context, const Request& request) -> Result<Verdict> {
    FRESHET_TRY(auto object, Named<folder>(context, request));
    return CheckWorkspace(context, request.user, object.path, level);
  });
}

/// What there is of its own on one folder or file: what was said, and what follows from where it is
/// and who made it.
Status AddOf(const Context& context, const WorkspaceObject& object, const std::string& from,
             Acl* acl) {
  FRESHET_TRY(auto entries, context.permissions->Get(KeptUnder(object)));
  for (const auto& entry : entries) acl->Add(entry.principal, entry.level, from);
  constexpr std::string_view kHomes = "/Users";
  std::string manager = object.created_by;
  if (catalog::ParentOf(object.path) == kHomes) manager = object.path.substr(kHomes.size() + 1);
  FRESHET_TRY(auto principal, context.principals->Find(manager));
  if (principal) acl->Add(*principal, "CAN_MANAGE", from);
  if (object.path != "/Shared") return Status::Ok();
  FRESHET_TRY(auto everybody, context.principals->Find(catalog::kEverybody));
  if (everybody) acl->Add(*everybody, "CAN_EDIT", from);
  return Status::Ok();
}

Result<Json> AclOf(const Context& context, const WorkspaceObject& object) {
  Acl acl;
  for (const auto& path : catalog::Upwards(object.path)) {
    FRESHET_TRY(auto each, context.workspace->Find(path));
    if (!each) continue;
    auto from = each->id == object.id ? std::string() : "/" + KeptUnder(*each);
    FRESHET_CHECK_OK(AddOf(context, *each, from, &acl));
  }
  FRESHET_TRY(auto admins, context.principals->Find(catalog::kAdmins));
  if (admins) acl.Add(*admins, "CAN_MANAGE", "/directories/");
  return std::move(acl).ToJson(std::string(TypeOf(object)), std::to_string(object.id));
}

template <bool folder>
Result<Json> Get(const Context& context, const Request& request) {
  FRESHET_TRY(auto object, Named<folder>(context, request));
  return AclOf(context, object);
}

template <bool folder, bool replace>
Result<Json> Change(const Context& context, const Request& request) {
  FRESHET_TRY(auto object, Named<folder>(context, request));
  FRESHET_TRY(auto wanted, ReadAcl(context, request, kFolderLevels));
  std::vector<catalog::Permissions::Entry> entries;
  for (const auto& each : wanted)
    entries.push_back({.principal = each.principal.id, .level = each.level});
  FRESHET_CHECK_OK(context.permissions->Set(KeptUnder(object), entries, replace));
  return AclOf(context, object);
}

Result<Json> GetLevels(const Context&, const Request&) { return LevelsToJson(kFolderLevels); }

template <bool folder>
void AddType(const RouteAdder& add, std::string_view one, std::string_view levels,
             const std::array<std::string_view, 4>& operations) {
  add("GET", one, operations[0], On<folder>("CAN_READ"), Get<folder>);
  add("PUT", one, operations[1], On<folder>("CAN_MANAGE"), Change<folder, true>);
  add("PATCH", one, operations[2], On<folder>("CAN_MANAGE"), Change<folder, false>);
  add("GET", levels, operations[3], On<folder>("CAN_READ"), GetLevels);
}

/// As description.h says.
constexpr std::string_view kDescription = R"(
directories.get_permissions(): Permissions -- Tells who may do what with a folder and what is in it.
directories.set_permissions(SentPermissions): Permissions -- Replaces what was said of that.
directories.update_permissions(SentPermissions): Permissions -- Adds to what was said of that.
directories.get_permission_levels(): PermissionLevels -- Lists the levels that there are.
workspace_files.get_permissions(): Permissions -- Tells who may do what with a file.
workspace_files.set_permissions(SentPermissions): Permissions -- Replaces what was said of that.
workspace_files.update_permissions(SentPermissions): Permissions -- Adds to what was said of that.
workspace_files.get_permission_levels(): PermissionLevels -- Lists the levels that there are.
)";

}  // namespace

void AddWorkspacePermissions(const Context& context, Router* router) {
  router->Describe(kDescription);
  const RouteAdder add(context, router);
  AddType<true>(add, "/api/2.0/permissions/directories/{id}",
                "/api/2.0/permissions/directories/{id}/permissionLevels",
                {"directories.get_permissions", "directories.set_permissions",
                 "directories.update_permissions", "directories.get_permission_levels"});
  AddType<false>(add, "/api/2.0/permissions/files/{id}",
                 "/api/2.0/permissions/files/{id}/permissionLevels",
                 {"workspace_files.get_permissions", "workspace_files.set_permissions",
                  "workspace_files.update_permissions", "workspace_files.get_permission_levels"});
}

}  // namespace freshet::api
