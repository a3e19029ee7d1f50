// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include "base/clock.h"
#include "base/status.h"

namespace freshet::pipeline {

/// Return the first moment of a day at which clocks in the time zone show the hour, or, where they
/// are put forward over it, the moment at which they are. `zone`: a name of the IANA database, of
/// which the system has a copy; `UTC` needs none.
/// Errors: INVALID_ARGUMENT (the system knows no such zone).
Result<UtcMicros> MomentIn(const std::string& zone, std::chrono::sys_days day,
                           std::chrono::hours hour);

}  // namespace freshet::pipeline
