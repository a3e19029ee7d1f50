// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array.h>
#include <arrow/type.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace freshet::apply {

/// When a version begins or ends, as bytes in the order of the moments: a commit's time, or the
/// values of the sequence columns one behind the other. Null is the first of all. Empty: none.
using Moment = std::string;

/// Whether values of this type can be put in order: integers, decimals, dates, timestamps, text,
/// bytes.
bool HasMoments(const arrow::DataType& type);

/// Append the moment of one value. REQUIRES: HasMoments.
void AppendMoment(const arrow::Array& values, int64_t row, Moment* moment);

Moment MomentOf(UtcMicros at);
/// REQUIRES: made by MomentOf, or of one timestamp.
UtcMicros MicrosOf(const Moment& moment);

/// Return the values the moments were made from; empty ones are null. Moments of several columns
/// are a struct's. REQUIRES: they are moments of `type`, or of its fields.
Result<std::shared_ptr<arrow::Array>> ValuesOf(std::span<const Moment> moments,
                                               const std::shared_ptr<arrow::DataType>& type);

/// Return the moment of each row of a column of ValuesOf's kind; a null row of a struct, or of a
/// column with `null_is_none`, has none.
std::vector<Moment> MomentsOf(const arrow::Array& values, bool null_is_none);

}  // namespace freshet::apply
