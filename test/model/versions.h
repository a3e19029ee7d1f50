// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "model/database.h"

namespace freshet::model {

/// Every version that the rows of a table had since its base, with the commit times from which and
/// until which it was so: what a table of SCD type 2 has to hold. REQUIRES: a key, and the same
/// columns all along.
Result<std::vector<Row>> VersionsSinceBase(const Database& database, const std::string& table);

}  // namespace freshet::model
