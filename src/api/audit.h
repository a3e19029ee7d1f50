// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "api/context.h"

namespace freshet::api {

/// Whether requests of the route change something, and are noted.
bool IsChange(const Route& route);
/// Return what is noted of a request before it is answered. Of its body only fields that are known
/// to hold no secret, so that one in a wrong place is not noted either.
catalog::AuditRecord AuditOf(const Route& route, const Request& request);
/// Note how it was answered.
Status EndAudit(catalog::AuditLog* log, int64_t number, const Response& response);

}  // namespace freshet::api
