// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "sources/sample/config.h"
#include "sources/source.h"

namespace freshet::sources::sample {

/// Open a journal and find out which it is. Errors: SOURCE_UNREACHABLE, SOURCE_PRIVILEGE,
/// DATA_CORRUPT.
Result<std::unique_ptr<Source>> Open(Config config);

}  // namespace freshet::sources::sample
