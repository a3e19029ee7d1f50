// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace freshet::store {

/// Names that begin so belong to the local store itself and are listed by no store.
inline constexpr std::string_view kOwnPrefix = ".tmp-";

/// Check that a path is relative, without empty, "." or ".." parts (FRESHET_ASSERT: paths are ours,
/// never input).
void CheckPath(std::string_view path);
/// The same for a folder, where "" is the root.
void CheckFolder(std::string_view folder);
/// Return everything before the last '/', "" when there is none.
std::string_view FolderOf(std::string_view path);

}  // namespace freshet::store
