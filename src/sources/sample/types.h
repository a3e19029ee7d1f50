// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/type.h>

#include <memory>
#include <string_view>

#include "base/status.h"

namespace freshet::sources::sample {

/// Return what a type of TYPES.md is. Errors: DATA_CORRUPT (it is none).
Result<std::shared_ptr<arrow::DataType>> TypeOf(std::string_view name);

}  // namespace freshet::sources::sample
