// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "sources/sample/config.h"
#include "sources/source.h"

namespace freshet::sources::sample {

/// Follow the journal from exactly `from`, or from its end. Errors: SOURCE_CHANGED (another
/// journal), SLOT_LOST (compacted past the cursor), SLOT_MOVED (the journal is shorter than the
/// cursor, or its history is another).
Result<std::unique_ptr<ChangeStream>> OpenChanges(
    const Config& config, std::vector<std::shared_ptr<const record::TableShape>> shapes,
    const record::Cursor& from);

}  // namespace freshet::sources::sample
