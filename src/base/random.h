// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace freshet {

/// Return 2 * `bytes` lower-case hex digits from the kernel's random source; for writer and staging
/// ids. Thread-safe.
std::string RandomHex(int bytes);
/// Return a random version 4 UUID in its text form. Thread-safe.
std::string RandomUuid();

}  // namespace freshet
