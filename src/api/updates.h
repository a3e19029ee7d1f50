// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "api/context.h"
#include "pipeline/pipeline_book.h"

namespace freshet::api {

/// Begin an update and hand it to the runner. Errors: DESTINATION_BUSY (one is active).
Result<pipeline::UpdateRecord> BeginUpdate(const Context& context,
                                           const pipeline::PipelineRecord& pipeline,
                                           std::string_view cause, const std::string& body,
                                           const std::string& user);
/// `2026-01-31T00:00:00.000Z`.
std::string TimeText(int64_t milliseconds);

}  // namespace freshet::api
