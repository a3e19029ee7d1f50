// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/builder.h>

#include "base/status.h"
#include "sources/sample/journal.h"

namespace freshet::sources::sample {

/// Append a value as TYPES.md writes it. One that the builder's type cannot hold becomes NULL, and
/// `nulled` grows.
Status AppendValue(const Json& value, arrow::ArrayBuilder* builder, int64_t* nulled);

}  // namespace freshet::sources::sample
