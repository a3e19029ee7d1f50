// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "sources/postgres/config.h"
#include "sources/postgres/connection.h"
#include "sources/source.h"

namespace freshet::sources::postgres {

/// Return every problem of the server, the role, the slot and the publication at once, each with
/// the SQL that mends it; what concerns single tables is ListTables' job, but for rights. A query
/// that fails is a finding too.
std::vector<Finding> CheckServer(Connection& connection, const Config& config);

}  // namespace freshet::sources::postgres
