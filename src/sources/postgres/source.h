// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "sources/postgres/config.h"
#include "sources/source.h"

namespace freshet::sources::postgres {

/// Connect to a PostgreSQL database and find out which it is. The source makes nothing until
/// OpenChanges.
/// Errors: SOURCE_UNREACHABLE, SOURCE_AUTH, SOURCE_TLS, SOURCE_DATABASE_MISSING,
/// SOURCE_UNSUPPORTED.
Result<std::unique_ptr<Source>> Open(Config config);

}  // namespace freshet::sources::postgres
