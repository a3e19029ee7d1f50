// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "sources/postgres/config.h"
#include "sources/source.h"

namespace freshet::sources::postgres {

/// Connect to a PostgreSQL database whose tables are captured by queries on their cursor columns:
/// no slot, no publication, no wal_level, and a standby or a view will do.
/// REQUIRES: the config has rules. Errors: as Open.
Result<std::unique_ptr<Source>> OpenQueried(Config config);

}  // namespace freshet::sources::postgres
