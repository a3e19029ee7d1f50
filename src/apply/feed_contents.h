// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/status.h"
#include "store/file_store.h"

namespace freshet::apply {

/// For tests: follow a table by what its versions tell of changed rows, from the first on, and
/// compare what that makes with the rows that it has. A table whose older files are gone is not
/// judged.
/// Errors: INTERNAL (a row goes that was not there, an update has one side only, a commit of ours
/// marks rows dead and does not tell them, or the rows differ at the end).
Status CheckFeed(const std::shared_ptr<store::FileStore>& table);

}  // namespace freshet::apply
