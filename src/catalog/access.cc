// SPDX-License-Identifier: Apache-2.0
#include "catalog/access.h"

#include <algorithm>
#include <array>

namespace freshet::catalog {
namespace {

using Privileges = std::set<std::string>;

/// Whoever owns what something is in has to grant himself these.
constexpr std::array<std::string_view, 4> kOfData{"SELECT", "MODIFY", "READ_VOLUME",
                                                  "WRITE_VOLUME"};

bool OfData(std::string_view privilege) {
  return std::ranges::find(kOfData, privilege) != kOfData.end();
}

bool Owns(const Caller& caller, const Securable& securable) {
  return caller.names.contains(Lower(securable.owner));
}

bool Has(const Privileges& held, std::string_view privilege) {
  if (held.contains(std::string(privilege))) return true;
  return privilege != "MANAGE" && held.contains("ALL_PRIVILEGES");
}

Missing MissingOn(const Securable& securable, std::string_view privilege) {
  return {.privilege = std::string(privilege),
          .type = std::string(NameOf(securable.kind)),
          .name = FullName(securable.path),
          .owner = securable.owner};
}

/// What it takes to see one of the kind, besides reaching it.
std::string_view SeeingPrivilege(Kind kind) {
  switch (kind) {
    case Kind::kCatalog:
      return "USE_CATALOG";
    case Kind::kSchema:
      return "USE_SCHEMA";
    case Kind::kTable:
      return "SELECT";
    case Kind::kVolume:
      return "READ_VOLUME";
    case Kind::kConnection:
      return "USE_CONNECTION";
  }
  return "";
}

/// Whether what is held outside of something makes it visible.
bool ShowsWithin(const Privileges& outside, Kind kind) {
  if (Has(outside, SeeingPrivilege(kind)) || Has(outside, "BROWSE")) return true;
  if (kind == Kind::kTable) return Has(outside, "MODIFY");
  return kind == Kind::kVolume && Has(outside, "WRITE_VOLUME");
}

}  // namespace

std::string Missing::ToString() const {
  auto words = privilege;
  std::ranges::replace(words, '_', ' ');
  std::string grantor = "An administrator can grant it.";
  if (!owner.empty()) {
    grantor = fmt::format(
        "Its owner '{}', anyone with MANAGE on it, or an administrator can grant it.", owner);
  }
  return fmt::format("User does not have {} on {} '{}'. {}", words, type, name, grantor);
}

Result<Privileges> Access::HeldOn(const Caller& caller, const std::string& id) const {
  FRESHET_TRY(auto held, grants_->Held({id}, caller.names));
  return held.empty() ? Privileges() : held.begin()->second;
}

Result<Access::Outside> Access::Enter(const Caller& caller, const Path& parent) const {
  Outside outside;
  for (size_t parts = 1; parts <= parent.size(); ++parts) {
    auto kind = parts == 1 ? Kind::kCatalog : Kind::kSchema;
    FRESHET_TRY(auto found, catalog_->Get(kind, Path(parent.begin(),
                                                     parent.begin() + static_cast<int>(parts))));
    FRESHET_TRY(auto held, HeldOn(caller, found.id));
    outside.privileges.merge(held);
    outside.manages |= caller.admin || Owns(caller, found) || Has(outside.privileges, "MANAGE");
    auto use = SeeingPrivilege(kind);
    if (outside.manages || Has(outside.privileges, use)) continue;
    // What is missing is said from the outside inwards.
    if (!outside.unreachable) outside.unreachable = MissingOn(found, use);
    // What is in it is nothing that the caller is told of, not even whether it is there.
    if (!Has(outside.privileges, "BROWSE")) return outside;
  }
  return outside;
}

Result<std::optional<Missing>> Access::Check(const Caller& caller, std::string_view privilege,
                                             Kind kind, const Path& path) const {
  std::optional<Missing> nothing;
  FRESHET_TRY(auto outside, Enter(caller, Path(path.begin(), std::prev(path.end()))));
  if (outside.unreachable) return outside.unreachable;
  FRESHET_TRY(auto found, catalog_->Get(kind, path));
  if (caller.admin || Owns(caller, found)) return nothing;
  if (outside.manages && !OfData(privilege)) return nothing;
  FRESHET_TRY(auto held, HeldOn(caller, found.id));
  if (Has(outside.privileges, privilege) || Has(held, privilege)) return nothing;
  return std::optional(MissingOn(found, privilege));
}

Result<std::optional<Missing>> Access::CheckMetastore(const Caller& caller,
                                                      std::string_view privilege) const {
  std::optional<Missing> missing;
  if (caller.admin) return missing;
  FRESHET_TRY(auto held, HeldOn(caller, std::string(kMetastore)));
  if (Has(held, privilege)) return missing;
  missing = Missing{
      .privilege = std::string(privilege), .type = "Metastore", .name = "freshet", .owner = {}};
  return missing;
}

Result<std::vector<Securable>> Access::Visible(const Caller& caller,
                                               std::vector<Securable> items) const {
  if (caller.admin || items.empty()) return items;
  const auto& first = items.front();
  FRESHET_TRY(auto outside, Enter(caller, Path(first.path.begin(), std::prev(first.path.end()))));
  if (outside.unreachable && !Has(outside.privileges, "BROWSE")) return std::vector<Securable>();
  bool all = outside.manages || ShowsWithin(outside.privileges, first.kind);
  std::vector<std::string> ids;
  for (const auto& item : items) ids.push_back(item.id);
  FRESHET_TRY(auto held, grants_->Held(ids, caller.names));
  std::erase_if(items, [&](const Securable& item) {
    return !all && !Owns(caller, item) && !held.contains(item.id);
  });
  return items;
}

Result<std::optional<Missing>> Access::CheckVisible(const Caller& caller, Kind kind,
                                                    const Path& path) const {
  std::optional<Missing> nothing;
  FRESHET_TRY(auto outside, Enter(caller, Path(path.begin(), std::prev(path.end()))));
  if (outside.unreachable && !Has(outside.privileges, "BROWSE")) return outside.unreachable;
  FRESHET_TRY(auto found, catalog_->Get(kind, path));
  FRESHET_TRY(auto seen, Visible(caller, {found}));
  if (!seen.empty()) return nothing;
  return std::optional(MissingOn(found, SeeingPrivilege(kind)));
}

}  // namespace freshet::catalog
