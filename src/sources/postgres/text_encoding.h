// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>
#include <arrow/result.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace freshet::sources::postgres {

/// Whether a text is UTF-8, as a Parquet STRING has to be.
bool IsUtf8(std::string_view text);

/// Return the text with each byte that is not UTF-8 as U+FFFD and the byte's two hex digits, so
/// that texts that differ go on differing: `M\xFCller` becomes `M�FCller`.
std::string SpellOutInvalid(std::string_view text);

/// Do so for all text in an array, nested or not, and add to `changed` the texts it was done for.
/// Costs one pass over the bytes when there is nothing to do.
arrow::Result<std::shared_ptr<arrow::Array>> SpellOutInvalid(std::shared_ptr<arrow::Array> array,
                                                             int64_t* changed);

}  // namespace freshet::sources::postgres
