// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sources/postgres/connection.h"
#include "sources/postgres/extent.h"
#include "sources/postgres/key_split.h"

namespace freshet::sources::postgres {

/// Find a column to divide a table or partition by into about so many chunks: one of `among`, for
/// bounds are kept, and no right to others is needed, that leads an index, and by whose order the
/// rows lie, so that each chunk finds its rows side by side. Nothing: there is none. What the table
/// is like is learnt from a sample of its blocks as the session's transaction sees them, for nobody
/// may have analysed it. Errors: the connection's.
Result<std::optional<KeySplit>> DivideByKey(Connection* session, const Extent& leaf, int64_t chunks,
                                            const std::vector<std::string>& among);

}  // namespace freshet::sources::postgres
