// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sources/connector.h"

namespace freshet::sources::postgres {

/// This connector's line of the registry.
Connector AsConnector();

}  // namespace freshet::sources::postgres
