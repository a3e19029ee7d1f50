// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "delta/actions.h"

/// How long what is superseded stays, by a table's properties, in milliseconds. A property in a
/// form we don't know keeps everything: INT64_MAX.
/// Source: Delta, "Table properties": the intervals of `delta.…RetentionDuration`.
namespace freshet::delta {

/// Whether we know an interval of this form: `interval 3 days` and its like.
bool IsInterval(std::string_view text);
/// Of data files and deletion vectors that were removed, and of files that no commit names; one
/// week unless told.
int64_t DeletedFileRetentionMs(const Metadata& metadata);
/// Of commits and checkpoints behind a later checkpoint; 30 days unless told, for ever where
/// `delta.enableExpiredLogCleanup` is false.
int64_t LogRetentionMs(const Metadata& metadata);

}  // namespace freshet::delta
