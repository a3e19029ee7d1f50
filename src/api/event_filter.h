// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "pipeline/pipeline_book.h"

namespace freshet::api {

/// Read a filter of events: `field = 'v'`, `field in ('a', 'b')` and, of `timestamp`, `<`, `<=`,
/// `>`, `>=`, joined by AND, over `level`, `event_type`, `update_id`, `id` and `timestamp`.
/// Errors: INVALID_ARGUMENT. Source: the published grammar, and what its clients send beyond it.
Result<std::vector<pipeline::EventCondition>> ParseEventFilter(std::string_view text);

/// Read a filter of pipelines, `name LIKE '%x%'`; empty: any. Errors: INVALID_ARGUMENT.
Result<std::string> ParseNameFilter(std::string_view text);

}  // namespace freshet::api
