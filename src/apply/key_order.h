// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arrow/array/array_primitive.h>
#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "base/status.h"

namespace freshet::apply {

/// Whether rows of such a key lie better in its order: numbers and times mostly grow as rows are
/// made, so that neighbours are alike; what is random (uuid and other texts) would only lose the
/// order in which rows came. `key`: ordinals of the columns, in key order.
bool OrdersByKey(const arrow::Schema& schema, const std::vector<int>& key);

/// The ordinals of rows with these key columns in the order of the key: equal ones as they lie,
/// NULL last. Null: they lie in that order. REQUIRES: OrdersByKey.
Result<std::shared_ptr<arrow::UInt64Array>> KeyOrder(const arrow::ArrayVector& key);

}  // namespace freshet::apply
