// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/status.h"
#include "catalog/catalog.h"
#include "pipeline/source_settings.h"

namespace freshet::pipeline {

/// Return how to reach one database of a connection. `folder` is where a certificate that the
/// connection holds is written for the library that reads it from a file; it is made if need be.
/// Errors: UNSUPPORTED_FIELD (no connector for the connection's type), STORE_*.
Result<SourceSettings> SettingsOf(const catalog::Securable& connection,
                                  const catalog::Secrets& secrets, const std::string& database,
                                  const std::string& folder);

/// Let a session that a request waits for end by itself where the source does not answer.
void LimitSession(SourceSettings* settings);

}  // namespace freshet::pipeline
