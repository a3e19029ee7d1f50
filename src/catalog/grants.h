// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/database.h"

namespace freshet::catalog {

/// What one principal may do; principals need not be known yet.
struct Assignment {
  std::string principal;
  std::vector<std::string> privileges;  // in order
};
struct GrantChange {
  std::string principal;
  std::vector<std::string> add, remove;
};

/// Whether the published API knows the privilege.
bool IsPrivilege(std::string_view name);

/// Who may do what with which securable; `securable` is its id. A principal is found whatever its
/// case. Thread-safe.
class Grants {
 public:
  explicit Grants(store::Database* database) : database_(database) {}

  /// Return them in the order of the principals; of one only, unless `principal` is empty.
  Result<std::vector<Assignment>> Get(const std::string& securable, const std::string& principal);
  /// Return what is granted on each of the securables to anybody of `names` (in lower case).
  Result<std::map<std::string, std::set<std::string>>> Held(
      const std::vector<std::string>& securables, const std::set<std::string>& names);
  /// All changes or none. Errors: INVALID_ARGUMENT (no such privilege; one both added and removed).
  Status Apply(const std::string& securable, const std::vector<GrantChange>& changes);

 private:
  store::Database* const database_;
};

}  // namespace freshet::catalog
