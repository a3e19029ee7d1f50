// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "catalog/catalog.h"
#include "catalog/grants.h"
#include "catalog/principals.h"

namespace freshet::catalog {

/// A privilege that somebody lacks, and on what.
struct Missing {
  std::string privilege;   // in the API's spelling; MANAGE: being its owner would do as well
  std::string type, name;  // `Catalog`, `main`
  std::string owner;       // of it

  /// `User does not have USE CATALOG on Catalog 'main'. …`: and who can grant it.
  std::string ToString() const;
};

/// What grants on the metastore are kept under.
inline constexpr std::string_view kMetastore = "metastore";

/// Decides by owners and grants what callers may do in the catalog.
///
/// - Administrators may do everything.
/// - The owner of something may do everything with it. The owner of what it is in, or who has
/// MANAGE there, may do everything
///   with it but read and write its data, and may grant himself that.
/// - A privilege that is granted on something holds for all in it; ALL_PRIVILEGES is every one but
/// MANAGE.
/// - To reach something takes USE_CATALOG and USE_SCHEMA on what it is in; BROWSE is enough to be
/// told of it.
///
/// Thread-safe. Source: the published privileges of Unity Catalog; docs/guide/server.md, "Who may
/// do what".
class Access {
 public:
  Access(Catalog* catalog, Grants* grants) : catalog_(catalog), grants_(grants) {}

  /// Whether the caller has the privilege and can reach it; nothing is missing: it may.
  /// Errors: NOT_FOUND, once it is reached.
  Result<std::optional<Missing>> Check(const Caller& caller, std::string_view privilege, Kind kind,
                                       const Path& path) const;
  Result<std::optional<Missing>> CheckMetastore(const Caller& caller,
                                                std::string_view privilege) const;
  /// Whether the caller may be told that it is there and what it is.
  Result<std::optional<Missing>> CheckVisible(const Caller& caller, Kind kind,
                                              const Path& path) const;
  /// Return those of a list, all of one kind and in one parent, that the caller may be told of.
  Result<std::vector<Securable>> Visible(const Caller& caller, std::vector<Securable> items) const;

 private:
  using Privileges = std::set<std::string>;
  /// What somebody holds on what something is in.
  struct Outside {
    Privileges privileges{};
    bool manages = false;  // owns it, or has MANAGE
    std::optional<Missing> unreachable{};
  };
  Result<Outside> Enter(const Caller& caller, const Path& parent) const;
  Result<Privileges> HeldOn(const Caller& caller, const std::string& id) const;

  Catalog* const catalog_;
  Grants* const grants_;
};

}  // namespace freshet::catalog
