// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/database.h"

namespace freshet::catalog {

/// The numbers are in the database.
enum class PrincipalKind : uint8_t { kUser = 1, kGroup = 2, kService = 3 };
/// `User`, as it stands in a sentence.
std::string_view NameOf(PrincipalKind kind);

/// Whom something is granted to, or who is in a group. A value.
struct Principal {
  int64_t id = 0;
  PrincipalKind kind = PrincipalKind::kUser;
  /// What grants call it: a user's or group's name, a service principal's application id. No two
  /// principals of any kind share one, whatever its case.
  std::string name{};
  std::string display_name{}, external_id{};
  bool active = true;
  std::string details{"{}"};  // JSON: what else was said of it, told again as it came
};

/// Whoever asks. A value, made anew for each request: what it may do can change between two.
struct Caller {
  int64_t id = 0;
  std::string name{}, display_name{};
  PrincipalKind kind = PrincipalKind::kUser;
  /// In lower case, all by which a grant may mean it: its own name, and those of the groups that it
  /// is in, directly or by others.
  std::set<std::string> names{};
  bool admin = false;
};

/// The group whose members may do everything.
inline constexpr std::string_view kAdmins = "admins";
/// The group that all users and service principals are in, without being named in it.
inline constexpr std::string_view kEverybody = "users";

/// A condition on principals; the field is one of `name`, `display_name`, `external_id`, `id`.
struct PrincipalCondition {
  enum class Operation : uint8_t { kEquals, kDiffers, kContains, kBegins };
  std::string field{};
  Operation operation = Operation::kEquals;
  std::string value{};
};
struct PrincipalRequest {
  /// Those that fulfil every condition of one of the lists; none: all.
  std::vector<std::vector<PrincipalCondition>> any_of{};
  std::string order = "id";  // a field
  bool descending = false;
  int64_t skip = 0, rows = 0;
};
struct PrincipalPage {
  std::vector<Principal> items;
  int64_t total = 0;  // with and without those of other pages
};

/// What becomes other; what is not given stays.
struct PrincipalChange {
  std::optional<std::string> name{}, display_name{}, external_id{}, details{};
  std::optional<bool> active{};
  /// Of a group. `set` comes first.
  std::optional<std::vector<int64_t>> set_members{};
  std::vector<int64_t> add_members{}, remove_members{};
};

/// Users, groups and service principals. One administrator that is active always stays.
/// Thread-safe.
class Principals {
 public:
  explicit Principals(store::Database* database) : database_(database) {}

  /// Errors: INVALID_ARGUMENT (no name, a member that is none), ALREADY_EXISTS (the name).
  Result<Principal> Create(Principal principal, const std::vector<int64_t>& members = {});
  /// Errors: NOT_FOUND.
  Result<Principal> Get(PrincipalKind kind, int64_t id);
  /// Whatever its case; nothing: there is none of that name.
  Result<std::optional<Principal>> Find(std::string_view name);
  Result<PrincipalPage> List(PrincipalKind kind, const PrincipalRequest& request);
  /// All of it or nothing. A group's grants and what it owns follow its new name.
  /// Errors: NOT_FOUND; ALREADY_EXISTS (the name); INVALID_ARGUMENT (a group within itself, a
  /// member that is none, what is built in; no administrator would be left).
  Result<Principal> Alter(PrincipalKind kind, int64_t id, const PrincipalChange& change);
  /// With its tokens, secrets, grants and permissions; what it owned is the admins' from then on:
  /// another of its name inherits nothing. Errors: as Alter.
  Status Remove(PrincipalKind kind, int64_t id);

  /// Return who is in a group by being named in it.
  Result<std::vector<Principal>> Members(int64_t group);
  /// Return the groups that it is named in, and the one of everybody.
  Result<std::vector<Principal>> GroupsOf(const Principal& principal);

  /// Return the principal as one who asks; nothing: it is none, a group, or not active.
  Result<std::optional<Caller>> CallerOf(int64_t id);
  /// Make the user, if there is none of that name, and an active administrator.
  Result<Principal> EnsureAdministrator(const std::string& name, const std::string& display_name);

 private:
  store::Database* const database_;
};

}  // namespace freshet::catalog
