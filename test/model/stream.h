// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "model/source.h"

namespace freshet::model {

/// Send the log after `position`, a few transactions at a time.
std::unique_ptr<sources::ChangeStream> MakeStream(
    ModelSource* source, std::vector<std::shared_ptr<const record::TableShape>> shapes,
    uint64_t position);

}  // namespace freshet::model
