// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "catalog/principals.h"
#include "store/database.h"

namespace freshet::catalog {

/// What one principal may do with an object.
struct Permission {
  Principal principal{};
  std::string level{};
};

/// Who may do what with objects that are no securables: `pipelines/<id>`, and what else has levels
/// that each hold those below. Thread-safe.
class Permissions {
 public:
  explicit Permissions(store::Database* database) : database_(database) {}

  /// In the order of the principals' ids.
  Result<std::vector<Permission>> Get(const std::string& object);
  /// Return the levels that somebody of `names` (in lower case) has on any of the objects.
  Result<std::vector<std::string>> Held(const std::vector<std::string>& objects,
                                        const std::set<std::string>& names);
  struct Entry {
    int64_t principal = 0;
    std::string level{};
  };
  /// Set the entries' levels; `all`: and remove every other.
  Status Set(const std::string& object, const std::vector<Entry>& entries, bool all);
  Status Remove(const std::string& object);

 private:
  store::Database* const database_;
};

}  // namespace freshet::catalog
