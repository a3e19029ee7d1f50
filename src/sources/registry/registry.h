// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "sources/connector.h"

namespace freshet::sources {

/// Every connector there is, by an explicit list: nothing registers itself.
const std::vector<Connector>& Connectors();

/// Return the connector of that name. Errors: SOURCE_UNSUPPORTED.
Result<const Connector*> ConnectorNamed(std::string_view name);

/// Read a SOURCE by its scheme; `connector` is filled in. Errors: INVALID_ARGUMENT.
Result<Settings> ParseSource(std::string_view text);

/// Open a source by its settings' connector.
Result<std::unique_ptr<Source>> OpenSource(const Settings& settings);

}  // namespace freshet::sources
