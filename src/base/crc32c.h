// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace freshet {

/// Return the CRC-32C of `bytes`, continued from `before`: of two pieces it is the second's, begun
/// with the first's. By the processor's own instruction where it has one. Thread-safe.
/// Source: RFC 3720, 12.1 and B.4 (polynomial 0x1EDC6F41, reflected).
uint32_t Crc32c(std::string_view bytes, uint32_t before = 0);

}  // namespace freshet
