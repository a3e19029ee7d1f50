// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "capture/context.h"

namespace freshet::capture {

/// Let staging forget what the rules say, and tell how much went. Errors: STORE_*.
Status Expire(const Context& context, const staging::StagingWriter::ExpiryRules& rules);

}  // namespace freshet::capture
