// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/router.h"

namespace freshet::api {

/// Return the OpenAPI 3.1 document of the routes, as they are described. What clients send has
/// these fields and no others; what they get may have more in a later version.
/// Errors: INTERNAL (a route that is not described, or a description of none; a type that is not
/// there).
Result<Json> OpenApiOf(const Router& router);

}  // namespace freshet::api
