// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "api/context.h"

namespace freshet::api {

/// Ask whether the caller has the level on a path of the workspace, which need not be there:
/// CAN_READ, CAN_RUN, CAN_EDIT, CAN_MANAGE, each of which holds those before it. A level on a
/// folder holds for all in it; everybody manages his own folder below /Users and what he made, may
/// edit what is in /Shared, and sees the roots. Administrators have all of them.
Result<Verdict> CheckWorkspace(const Context& context, const catalog::Caller& caller,
                               const std::string& path, std::string_view level);

}  // namespace freshet::api
