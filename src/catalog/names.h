// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace freshet::catalog {

/// A securable's name from the outermost part on: catalog, schema, table. Found whatever the case
/// of its ASCII letters.
using Path = std::vector<std::string>;

/// Return the text with ASCII letters in lower case.
std::string Lower(std::string_view text);

/// Read `catalog.schema.table`; a part with a dot stands in back quotes, doubled within them.
/// Errors: INVALID_ARGUMENT (not `parts` parts; 0: any number).
Result<Path> ParseFullName(std::string_view text, size_t parts);
/// Return the name as ParseFullName reads it; only parts that need it are quoted.
std::string FullName(const Path& path);
/// Return what the name is found by: equal for names that differ in case only.
std::string KeyOf(const Path& path);
/// Check one part of a new name: neither empty nor too long, no control characters, no '/', and not
/// `.` or `..`: it becomes a folder's name.
Status CheckName(std::string_view kind, std::string_view name);

}  // namespace freshet::catalog
