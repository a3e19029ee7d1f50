// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace freshet::app {

/// Let Arrow take its memory from the C library's heap, and that heap keep what is freed: the same
/// few buffers of some megabytes come and go all the time, and the kernel zeroes each page that is
/// given back and taken anew. Call first in main, before another thread runs or Arrow allocates.
void SetUpMemory();

}  // namespace freshet::app
