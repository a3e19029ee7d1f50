// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "sources/source.h"

namespace freshet::pipeline {

/// Return the findings of the source, then one for each table that cannot be ingested and has none
/// yet: everything that a person has to mend.
std::vector<sources::Finding> FindingsOf(sources::Source& source);

}  // namespace freshet::pipeline
