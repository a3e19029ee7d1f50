// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "delta/table.h"

namespace freshet::delta {

/// Whether our reader gives this table's rows right. Errors: DELTA_UNSUPPORTED.
Status CheckReadable(const Protocol& protocol, const Metadata& metadata);
/// Whether our writer keeps every promise this table makes: no feature we don't know, and none that
/// we know only unused (constraints, generated columns, partitions …). Errors: DELTA_UNSUPPORTED.
Status CheckWritable(const Protocol& protocol, const Metadata& metadata);

}  // namespace freshet::delta
