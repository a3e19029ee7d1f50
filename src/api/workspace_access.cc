// SPDX-License-Identifier: Apache-2.0
#include "api/workspace_access.h"

#include "api/object_levels.h"

namespace freshet::api {
namespace {

bool IsWithin(const std::string& path, const std::string& folder) {
  return (catalog::Lower(path) + "/").starts_with(catalog::Lower(folder) + "/");
}

}  // namespace

Result<Verdict> CheckWorkspace(const Context& context, const catalog::Caller& caller,
                               const std::string& path, std::string_view level) {
  if (caller.admin) return Verdict();
  std::vector<std::string> objects, held;
  if (path == "/" || path == "/Users" || path == "/Shared") held.emplace_back("CAN_READ");
  if (IsWithin(path, "/Users/" + caller.name)) held.emplace_back("CAN_MANAGE");
  if (IsWithin(path, "/Shared")) held.emplace_back("CAN_EDIT");
  for (const auto& each : catalog::Upwards(path)) {
    FRESHET_TRY(auto found, context.workspace->Find(each));
    if (!found) continue;
    objects.push_back((found->folder ? "directories/" : "files/") + std::to_string(found->id));
    if (catalog::Lower(found->created_by) == catalog::Lower(caller.name))
      held.emplace_back("CAN_MANAGE");
  }
  FRESHET_TRY(auto granted, context.permissions->Held(objects, caller.names));
  held.insert(held.end(), granted.begin(), granted.end());
  if (Holds(kFolderLevels, held, level)) return Verdict();
  return Verdict(
      fmt::format("User does not have {} on path ({}). Anyone with CAN_MANAGE on it, or an "
                  "administrator can grant it.",
                  level, path));
}

}  // namespace freshet::api
