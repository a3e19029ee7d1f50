// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "store/file_store.h"

namespace freshet::store {

/// A store rooted in a local directory of somebody else, perhaps: nothing is made, probed or swept
/// there, and what would write is refused with STORE_READ_ONLY. A root that is not there is empty.
std::shared_ptr<FileStore> OpenLocalReader(const std::string& root);

}  // namespace freshet::store
