// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/type.h>

namespace freshet::record {

/// Whether each value of one type is a value of another, and Delta reads files of the one as the
/// other. Source: Delta protocol, "Type Widening".
bool IsWidening(const arrow::DataType& from, const arrow::DataType& to);

/// Whether the values are then known by the same bytes as before: of a key, or of rows that are
/// known by all they hold.
bool KeepsIdentity(const arrow::DataType& from, const arrow::DataType& to);

}  // namespace freshet::record
