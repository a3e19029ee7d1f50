// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/clock.h"
#include "store/file_store.h"

namespace freshet::store {

/// Return an empty store in memory, for tests and simulation: every promise of FileStore is kept,
/// and nothing survives it. `clock` (may be null: all times are zero) dates the objects.
std::shared_ptr<FileStore> MakeMemoryStore(Clock* clock = nullptr);

}  // namespace freshet::store
